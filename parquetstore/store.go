package parquetstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	migrate "github.com/nexport-go/migrate"
)

// Store is an archive. It is a migrate.Store, one that Open opened only for reading, and safe for
// concurrent use. It opens nothing outside of its two directories, whatever names the archive has.
type Store struct {
	data     *os.Root
	files    *os.Root // nil if there is none
	filesErr error    // why
	write    *writing // nil if only for reading

	mu    sync.Mutex
	known map[migrate.RunRef]*run // from the latest listings
}

var (
	_ migrate.Store  = (*Store)(nil)
	_ migrate.Finder = (*Store)(nil)
)

// Open opens the archive whose Parquet files are below dataDir and whose files are below filesDir.
// If filesDir does not exist only files cannot be read. The error matches ErrNotFound if there is
// no dataDir.
func Open(dataDir, filesDir string) (*Store, error) {
	data, err := os.OpenRoot(dataDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open archive: there is no directory %q: %w", dataDir, migrate.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	s := &Store{data: data, known: map[migrate.RunRef]*run{}}
	s.files, s.filesErr = os.OpenRoot(filesDir)
	return s, nil
}

// Close releases the directories, and the lock of a writer. Readers must not be used afterwards.
func (s *Store) Close() error {
	err := s.data.Close()
	if s.write != nil {
		err = errors.Join(err, s.write.lock.Close())
	}
	if s.files != nil {
		err = errors.Join(err, s.files.Close())
	}
	return err
}

// OpenRun opens a run that Runs has listed, or looks for it by its RunRef: where PutRun puts it, or
// else everywhere.
func (s *Store) OpenRun(ctx context.Context, info migrate.RunInfo) (migrate.RunReader, error) {
	found, err := s.find(ctx, info.RunRef)
	if err != nil {
		return nil, err
	}
	return newReader(s, found), nil
}

// Run says of one run what Runs says. The error matches migrate.ErrNotFound if the archive does not
// have it.
func (s *Store) Run(ctx context.Context, ref migrate.RunRef) (migrate.RunInfo, error) {
	found, err := s.find(ctx, ref)
	if err != nil {
		return migrate.RunInfo{}, err
	}
	return found.info, nil
}

func (s *Store) find(ctx context.Context, ref migrate.RunRef) (*run, error) {
	if found := s.lookup(ref); found != nil {
		return found, nil
	}
	if checkRef(ref) == nil {
		runs, err := s.scanPlace(ctx, placeOf(ref))
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			if r.info.RunRef == ref && r.bad == nil {
				return r, nil
			}
		}
	}
	for _, err := range s.Runs(ctx, migrate.Selection{Scopes: []migrate.Scope{ref.Scope}}) {
		if err != nil {
			return nil, err
		}
		if found := s.lookup(ref); found != nil {
			return found, nil
		}
	}
	return nil, fmt.Errorf("run %s is not in the archive: %w", ref, migrate.ErrNotFound)
}

func (s *Store) lookup(ref migrate.RunRef) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[ref]
}

func (s *Store) forget(ref migrate.RunRef) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, ref)
}

func (s *Store) remember(runs []*run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range runs {
		s.known[r.info.RunRef] = r
	}
}
