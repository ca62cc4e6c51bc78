package parquetstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	migrate "github.com/nexport-go/migrate"
)

// layout is a way of laying out parts; a larger one is newer.
type layout int

const (
	projectParts layout = iota // many runs in a part
	runParts                   // parts of one run
	digestParts                // parts of one run, with a digest in the name
)

// series is parts that were written one after the other.
type series struct {
	dir    string // slash-separated, below the data directory
	home   string // the project's directory: dir without models or model_versions
	stem   string // run-level: file name up to _part_; else empty, or the name of a single file
	scope  migrate.Scope
	layout layout
	parts  []*part // in numeric order
	notes  []migrate.Problem
}

// part is one file.
type part struct {
	path string
	num  int
	size int64
	rows int64
	err  error // why it cannot be read

	damage []error // why some of its row groups cannot be read
}

var (
	partName   = regexp.MustCompile(`^(?s:(.*)_)?part_([0-9]{1,9})\.parquet$`)
	digestName = regexp.MustCompile(`^(?s:(.*))-[0-9a-f]{16}$`)
)

// parsePart says what a file's name says. Other names than the tool's stand for themselves.
func parsePart(name string) (stem string, num int, l layout) {
	m := partName.FindStringSubmatch(name)
	if m == nil {
		return name, 0, projectParts
	}
	num, _ = strconv.Atoi(m[2]) // at most nine digits
	switch {
	case len(name) == len("part_.parquet")+len(m[2]):
		return "", num, projectParts
	case digestName.MatchString(m[1]):
		return m[1], num, digestParts
	}
	return m[1], num, runParts
}

// withoutDigest cuts the digest off a name.
func withoutDigest(name string) string {
	if m := digestName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return name
}

// projectOfDir guesses a project's name from its directory, for files that cannot tell.
func projectOfDir(dir string) string {
	if strings.Contains(dir, "/") {
		return dir
	}
	return strings.Replace(withoutDigest(path.Base(dir)), "_", "/", 1)
}

// scopeDirs are the subdirectories of Neptune 2's model registry.
var scopeDirs = map[string]migrate.Scope{
	"models": migrate.ScopeModel, "model_versions": migrate.ScopeModelVersion,
}

// group is the directories of one project name, with and without digest.
type group struct {
	name   string
	series []*series
}

// groups lists all parts by name only. Projects are directories below root; for some days of October 2025 the tool did
// not replace the slash in their names, so theirs are one deeper. What else has parts there, or deeper, is not read, which
// is said of it if anything is read.
func groups(root *os.Root) ([]group, error) {
	all := map[string]*group{}
	add := func(name string, found []*series) {
		if len(found) == 0 {
			return
		}
		if all[name] == nil {
			all[name] = &group{name: name}
		}
		all[name].series = append(all[name].series, found...)
	}
	here, dirs, err := seriesIn(root, ".")
	if err != nil {
		return nil, err
	}
	add(".", here)
	var unread []*series
	for _, dir := range dirs {
		deeper := []string{dir}
		if !strings.Contains(dir, "/") {
			var found []*series
			if found, deeper, err = seriesIn(root, dir); err != nil {
				return nil, err
			}
			add(withoutDigest(dir), found)
		}
		for _, dir := range deeper {
			found, left := nested(root, dir)
			add(strings.ReplaceAll(dir, "/", "_"), found)
			unread = append(unread, left...)
		}
	}
	if len(all) > 0 {
		add("", unread)
	}
	var sorted []group
	for _, g := range all {
		sorted = append(sorted, *g)
	}
	slices.SortFunc(sorted, func(a, b group) int { return strings.Compare(a.name, b.name) })
	return sorted, nil
}

// nested lists a directory in a directory. If it is not one of a project with a slash in its name, its parts are left, and
// those of all directories below it.
func nested(root *os.Root, dir string) (found, left []*series) {
	if strings.Count(dir, "/") > 1 { // it lies in one of models
		return nil, below(root, dir)
	}
	all, deeper, err := seriesIn(root, dir)
	if err != nil {
		return nil, []*series{unread(dir, err)}
	}
	for _, s := range all {
		switch first := s.parts[0]; {
		case s.layout == projectParts && s.stem == "" && s.dir == dir:
			found = append(found, s)
		case first.err != nil:
			left = append(left, unread(first.path, first.err))
		default:
			left = append(left, unread(first.path, tooDeep("it is not read")))
		}
	}
	for _, dir := range deeper {
		left = append(left, below(root, dir)...)
	}
	return found, left
}

// below finds what is passed over in a directory that is none of an archive's: parts, links, and directories that cannot be
// listed.
func below(root *os.Root, dir string) (left []*series) {
	_ = fs.WalkDir(root.FS(), dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			left = append(left, unread(name, err))
			return fs.SkipDir
		case strings.HasSuffix(name, ".parquet"):
			left = append(left, unread(name, tooDeep(fmt.Sprintf("nothing in %q is read", path.Dir(name)))))
			return fs.SkipDir // one of a directory is enough
		case e.Type()&fs.ModeSymlink != 0 && isDir(root, name):
			left = append(left, unread(name, tooDeep("the link is not followed")))
		}
		return nil
	})
	return left
}

// unread stands for what is passed over, and says why.
func unread(name string, err error) *series {
	dir := path.Dir(name)
	return &series{dir: dir, home: dir, layout: projectParts, parts: []*part{{path: name, err: err}}}
}

func tooDeep(so string) error {
	return errors.New("it lies deeper than the parts of an archive, so " + so + ": give the directory above the projects as the data directory")
}

// seriesIn lists a project's directory, and returns the directories that are not part of it.
func seriesIn(root *os.Root, dir string) (found []*series, others []string, err error) {
	files, dirs, err := readDir(root, dir)
	if err != nil {
		return nil, nil, err
	}
	found = sortSeries(dir, dir, migrate.ScopeRun, files)
	for _, sub := range dirs {
		scope, known := scopeDirs[sub]
		if !known {
			others = append(others, path.Join(dir, sub))
			continue
		}
		sub = path.Join(dir, sub)
		files, dirs, err := readDir(root, sub)
		if err != nil {
			return nil, nil, err
		}
		for _, s := range sortSeries(dir, sub, scope, files) {
			if s.layout == projectParts && s.stem == "" { // models have parts of their own, so it is a project of that name
				s.home, s.scope = sub, migrate.ScopeRun
			}
			found = append(found, s)
		}
		for _, d := range dirs { // or a workspace of that name
			others = append(others, path.Join(sub, d))
		}
	}
	return found, others, nil
}

// readDir lists Parquet files and directories. Links are followed as far as root lets them.
func readDir(root *os.Root, dir string) (files []*part, dirs []string, err error) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, nil, err
	}
	swapped := swappedParts(entries)
	for _, e := range entries {
		info, err := root.Stat(path.Join(dir, e.Name()))
		switch {
		case err == nil && info.IsDir():
			dirs = append(dirs, e.Name())
		case swapped[e.Name()+temporary]: // what it is being replaced by counts
		case err != nil && isDir(root, path.Join(dir, e.Name())):
			files = append(files, &part{path: path.Join(dir, e.Name()), err: errors.New("the link leads out of the data directory, so the directory is not read")})
		case !strings.HasSuffix(e.Name(), ".parquet") && isBroken(root, path.Join(dir, e.Name()), e):
			files = append(files, &part{path: path.Join(dir, e.Name()), err: errors.New("the link leads nowhere; if it was to a project, that is not read")})
		case !strings.HasSuffix(e.Name(), ".parquet") && !swapped[e.Name()]:
		case err != nil:
			files = append(files, &part{path: path.Join(dir, e.Name()), err: err})
		default:
			files = append(files, &part{path: path.Join(dir, e.Name()), size: info.Size()})
		}
	}
	return files, dirs, nil
}

// isDir reports whether name is a directory, or a link to one, be it elsewhere. It does not open it.
func isDir(root *os.Root, name string) bool {
	info, err := os.Stat(filepath.Join(root.Name(), filepath.FromSlash(name)))
	return err == nil && info.IsDir()
}

// isBroken reports whether name is a link to what is not there, as to a disk that is not mounted. Hidden ones are editors' locks.
func isBroken(root *os.Root, name string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 || strings.HasPrefix(e.Name(), ".") {
		return false
	}
	_, err := os.Stat(filepath.Join(root.Name(), filepath.FromSlash(name)))
	return err != nil
}

// swappedParts are the parts that count though they have temporary names still: those of runs of which
// putting the new copy in the place of the old one was interrupted.
func swappedParts(entries []fs.DirEntry) map[string]bool {
	names := map[string]bool{}
	var parts []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".parquet"+temporary) {
			parts = append(parts, e.Name())
		}
		names[e.Name()] = true
	}
	swapped := map[string]bool{}
	for _, name := range parts {
		stem, _, layout := parsePart(strings.TrimSuffix(name, temporary))
		manifest := stem + "_manifest.json"
		if layout == digestParts && (names[manifest+swapping] || names[manifest] && !names[stem+"_part_0.parquet"]) {
			swapped[name] = true
		}
	}
	return swapped
}

// sortSeries groups files into series and notes the gaps in their numbers.
func sortSeries(home, dir string, scope migrate.Scope, files []*part) (found []*series) {
	by := map[string]*series{}
	for _, f := range files {
		stem, num, layout := parsePart(path.Base(strings.TrimSuffix(f.path, temporary)))
		f.num = num
		key := strconv.Itoa(int(layout)) + stem
		s := by[key]
		if s == nil {
			s = &series{dir: dir, home: home, stem: stem, scope: scope, layout: layout}
			by[key] = s
			found = append(found, s)
		}
		s.parts = append(s.parts, f)
	}
	for _, s := range found {
		slices.SortFunc(s.parts, func(a, b *part) int { return a.num - b.num })
		s.noteGaps()
	}
	return found
}

// noteGaps finds parts that must have existed: the tool numbers them from 0, or in its first days from 1.
func (s *series) noteGaps() {
	next := 0
	if strings.Contains(s.dir, "/") && s.stem == "" && s.parts[0].num == 1 {
		next = 1
	}
	for _, p := range s.parts {
		if p.num > next {
			s.notes = append(s.notes, migrate.Problem{Code: migrate.CodeMissing, Text: gapText(s, next, p.num-1)})
		}
		next = p.num + 1
	}
}

func gapText(s *series, from, to int) string {
	name := "part_" + strconv.Itoa(from)
	if s.stem != "" {
		name = s.stem + "_" + name
	}
	text := "part " + strconv.Quote(path.Join(s.dir, name+".parquet")) + " is missing"
	if to > from {
		text += ", and those up to part_" + strconv.Itoa(to)
	}
	return text
}
