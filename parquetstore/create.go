package parquetstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"sync"

	migrate "github.com/nexport-go/migrate"
)

// Config says how an archive is written. The zero value is good.
type Config struct {
	// Source is where the runs come from, for the manifests: the address of a server, and what else there is to say of
	// it behind a space. It must not have secrets in it.
	Source string
	// MovedFrom are addresses or host names that the server of Source had before. What came from there is its own.
	MovedFrom []string
	// Renew says which of the runs that the archive has already are written again.
	Renew Renew
	// With names what the source was asked for beyond what it gives by itself, such as points that are
	// not final. The manifests have it, and a run that was archived without one of them is not finished.
	With []string
	// Outdated is told of each run that PutRun leaves as it is although it was modified at the
	// source since, from several goroutines; nil: nobody is.
	Outdated func(run migrate.RunRef)

	partBytes  int64                       // a part that has grown to this is ended
	groupRows  int                         // most rows of a row group
	groupBytes int                         // about the most memory that a row group's values take
	fault      func(op, name string) error // asked before each change on disk
}

// Renew chooses the finished runs that PutRun writes again. A run that is not finished, because
// something is missing or only some of its attributes were selected, is always completed.
type Renew int

const (
	// RenewChanged writes a run again that was modified at the source since.
	RenewChanged Renew = iota
	// RenewNone leaves finished runs alone.
	RenewNone
	// RenewAll writes every run again.
	RenewAll
)

const (
	defaultPartBytes  = 50 << 20
	defaultGroupRows  = 128 << 10
	defaultGroupBytes = 8 << 20
)

func (c *Config) setDefaults() {
	if c.partBytes == 0 {
		c.partBytes = defaultPartBytes
	}
	if c.groupRows == 0 {
		c.groupRows = defaultGroupRows
	}
	if c.groupBytes == 0 {
		c.groupBytes = defaultGroupBytes
	}
}

// lockName is the file that a writer holds locked.
const lockName = ".nexport.lock"

// ErrLocked is what Create returns while another writer has the archive open.
var ErrLocked = errors.New("another process is writing to this archive; wait for it or stop it")

// writing is what a Store has that was opened by Create.
type writing struct {
	cfg         Config
	data, files disk
	lock        *os.File
	tool        string
	rows        sync.Pool // *rows that are empty, with their memory
}

// Create opens an archive for reading and writing, and makes its directories if need be. What is
// there already is kept. Only one Store at a time can have an archive open for writing: the error
// matches ErrLocked if another has. Readers are not kept out. The error matches ErrOtherFiles if filesDir is that of
// another archive.
func Create(dataDir, filesDir string, cfg Config) (*Store, error) {
	cfg.setDefaults()
	for _, dir := range []string{dataDir, filesDir} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, fmt.Errorf("create archive: %w", fatal(err))
		}
	}
	s, err := Open(dataDir, filesDir)
	if err != nil {
		return nil, err
	}
	if s.filesErr != nil {
		return nil, errors.Join(fmt.Errorf("create archive: %w", s.filesErr), s.data.Close())
	}
	lock, err := lockFile(s.data, dataDir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create archive: lock %q: %w", path.Join(dataDir, lockName), err), s.Close())
	}
	if err := s.claim(); err != nil {
		return nil, errors.Join(fmt.Errorf("create archive: files directory %q: %w", filesDir, fatal(err)), lock.Close(), s.Close())
	}
	s.write = &writing{
		cfg: cfg, data: disk{s.data, cfg.fault, new(sync.Map)}, files: disk{s.files, cfg.fault, new(sync.Map)}, lock: lock, tool: toolName(),
	}
	return s, nil
}

// toolName is this program and its version as far as it is known.
func toolName() string {
	const module = "github.com/nexport-go/migrate"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "nexport"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module && m.Version != "" {
			return "nexport " + m.Version
		}
	}
	return "nexport"
}

// fatal marks an error that every other run would meet too.
func fatal(err error) error {
	if err != nil && isDiskFull(err) {
		return fmt.Errorf("%w: %w", err, migrate.ErrFatal)
	}
	return err
}

// fatal also knows that the archive's directories were taken away.
func (s *Store) fatal(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		for _, d := range []disk{s.write.data, s.write.files} {
			if d.gone() {
				return fmt.Errorf("directory %q was removed or replaced while it was being written to: %w; %w", d.root.Name(), err, migrate.ErrFatal)
			}
		}
	}
	return fatal(err)
}

// PutRun writes a run, if the archive does not have it complete already: with the same selection or
// all of it, with all of Config.With, and, as Config.Renew says, not modified since. A copy that is being replaced stays until the new one is
// whole. Result.Target is the run's path without _part_<n>.parquet, below the data directory.
//
// A file that the source does not have any more, a value that is too large or not valid UTF-8, and
// an attribute whose path is not are Problems. The error matches migrate.ErrFatal if the disk is full
// or one of the archive's directories is not there any more, and ErrOtherServer too if the archive's copy of the run
// came from another server and is not the same by its time of modification.
func (s *Store) PutRun(ctx context.Context, info migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	if s.write == nil {
		return migrate.Result{}, errors.New("the archive is open for reading only; open it with Create")
	}
	if err := checkRef(info.RunRef); err != nil {
		return migrate.Result{}, err
	}
	at := placeOf(info.RunRef)
	defer s.forget(info.RunRef) // what a listing knew of it
	result, err := s.put(ctx, at, info, r)
	if err != nil {
		return migrate.Result{}, fmt.Errorf("archive run %s: %w", info.RunRef, s.fatal(err))
	}
	result.Target = path.Join(at.dir, at.stem)
	return result, nil
}

func (s *Store) put(ctx context.Context, at place, info migrate.RunInfo, r migrate.RunReader) (migrate.Result, error) {
	if err := ctx.Err(); err != nil {
		return migrate.Result{}, context.Cause(ctx)
	}
	if err := s.finishSwap(at); err != nil {
		return migrate.Result{}, err
	}
	old, err := s.held(at)
	if err != nil {
		return migrate.Result{}, err
	}
	stands, err := s.standing(ctx, at, old, info, s.write.cfg.With)
	if err != nil {
		return migrate.Result{}, err
	}
	if stands == Unfinished || stands == Outdated || s.write.cfg.Renew == RenewAll {
		// A finished run that was modified at the same moment is the same, and stays.
		if err := s.write.cfg.checkOrigin(old.manifest); err != nil {
			return migrate.Result{}, err
		}
	}
	if stands.serves(s.write.cfg.Renew) {
		if stands == Outdated && s.write.cfg.Outdated != nil {
			s.write.cfg.Outdated(info.RunRef)
		}
		return migrate.Result{Existed: true}, s.removeLeftovers(at, old)
	}
	w, err := s.newRunWriter(at, info, old)
	if err != nil {
		return migrate.Result{}, err
	}
	defer w.cleanUp()
	if err := w.copy(ctx, r); err != nil {
		return migrate.Result{}, err
	}
	err = w.commit(r.Problems())
	if err != nil && !errors.Is(err, errWorse) {
		return migrate.Result{}, err
	}
	return migrate.Result{Problems: w.problems}, nil
}
