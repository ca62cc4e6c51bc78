package parquetstore

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"

	migrate "github.com/nexport-go/migrate"
)

// aside is behind the names of what SetAside took out of the archive.
const aside = ".removed-at-source"

// SetAside takes a run out of the archive that its source does not have any more. Nothing is deleted:
// the names of its parts, its manifest and its directory of files get ".removed-at-source" behind
// them ("-2" and so on if there are some already), so that no reader takes them for part of the
// archive, and without it they are what they were. It returns the run's path below the data
// directory, with that behind it. What a crash left half done is completed by the next call.
//
// A run that shares its parts with others, or is in another layout of old versions, cannot be set
// aside; the error matches ErrShared, and ErrOtherServer if it came from another server. The error matches migrate.ErrNotFound if the archive does not
// have the run.
func (s *Store) SetAside(ctx context.Context, ref migrate.RunRef) (string, error) {
	if s.write == nil {
		return "", errors.New("the archive is open for reading only; open it with Create")
	}
	if err := checkRef(ref); err != nil {
		return "", err
	}
	found, err := s.find(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("set aside: %w", err)
	}
	at := placeOf(ref)
	if found.from.dir != at.dir || found.from.stem != at.stem || found.from.layout != digestParts {
		return "", fmt.Errorf("set aside run %s: %w", ref, ErrShared)
	}
	m, err := readManifest(s.data, at.manifest())
	if err == nil {
		err = s.write.cfg.checkOrigin(m)
	}
	if errors.Is(err, ErrOtherServer) {
		return "", fmt.Errorf("set aside run %s: %w", ref, err)
	}
	name, err := s.setAside(at)
	if err != nil {
		return "", fmt.Errorf("set aside run %s: %w", ref, fatal(err))
	}
	s.forget(ref)
	return name, nil
}

// ErrShared is what SetAside returns for a run in a layout of old versions.
var ErrShared = errors.New("it is in a layout of old versions, which may have several runs in one file")

func (s *Store) setAside(at place) (string, error) {
	if err := s.finishSwap(at); err != nil {
		return "", err
	}
	names, err := s.namesOf(at)
	if err != nil {
		return "", err
	}
	suffix, err := freeSuffix(names)
	if err != nil {
		return "", err
	}
	for _, n := range names {
		if err := n.on.rename(n.name, n.name+suffix); err != nil {
			return "", err
		}
	}
	return path.Join(at.dir, at.stem) + suffix, s.write.data.syncDir(at.dir)
}

// onDisk is a name below the data or the files directory.
type onDisk struct {
	on   disk
	name string
}

func (n onDisk) there(suffix string) (bool, error) {
	_, err := n.on.root.Lstat(n.name + suffix)
	return err == nil, ifThere(err)
}

// namesOf are the names of a run that are there, in the order in which they are set aside: the
// manifest comes last, so that until then the run does not look whole.
func (s *Store) namesOf(at place) (names []onDisk, err error) {
	all := []onDisk{
		{s.write.files, path.Join(at.home, at.filesDir(""))},
		{s.write.files, path.Join(at.home, at.filesDir("_2"))},
	}
	n, err := s.countParts(at, 0)
	if err != nil {
		return nil, err
	}
	for n--; n >= 0; n-- {
		all = append(all, onDisk{s.write.data, at.part(n)})
	}
	for _, n := range append(all, onDisk{s.write.data, at.manifest()}) {
		there, err := n.there("")
		if err != nil {
			return nil, err
		}
		if there {
			names = append(names, n)
		}
	}
	return names, nil
}

// freeSuffix is one that none of the names has been given yet.
func freeSuffix(names []onDisk) (string, error) {
	for n := 1; ; n++ {
		suffix := aside
		if n > 1 {
			suffix += "-" + strconv.Itoa(n)
		}
		free := true
		for _, name := range names {
			taken, err := name.there(suffix)
			if err != nil {
				return "", err
			}
			free = free && !taken
		}
		if free {
			return suffix, nil
		}
	}
}
