package convert

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/blake2b"

	"github.com/nexport-go/migrate"
)

const (
	maxSegment   = 200  // bytes; disks take 255, and servers may add to a name
	maxPath      = 1000 // bytes; percent-encoded that is still a short URL
	maxExtension = 20   // bytes, with the dot; what is longer is no extension
)

// Artifacts gives artifact paths within one run: what Neptune's paths ask for wherever possible,
// and never one twice, never one as the directory of another, also on disks that do not tell case.
// The paths depend on the order of the calls, which is that of the archive. It keeps 16 bytes for
// each path and directory, and a little more for each path that was wanted twice. The zero value is
// ready; it is not for concurrent use.
type Artifacts struct {
	files, dirs map[pathID]struct{}
	tries       map[pathID]int // so that wanting one path very often does not take ever longer
}

type pathID [16]byte

// File gives the path for the file of an attribute: the attribute's path, and the extension of the
// stored name unless it ends like that already.
func (a *Artifacts) File(attr, name string) (path string, changed bool) {
	return a.Path(withExtension(attr, name), attr+"\x00"+name)
}

// Member gives the path for a member of a file set: "<attribute>/<name>".
func (a *Artifacts) Member(attr, name string) (path string, changed bool) {
	return a.Path(attr+"/"+name, attr+"\x00"+name)
}

// SeriesFile gives the path for a file of a series: "<attribute>/step_<step><extension>".
func (a *Artifacts) SeriesFile(attr string, step migrate.Step, name string) (path string, changed bool) {
	return a.Path(attr+"/step_"+step.String()+extension(name), attr+"\x00"+step.String())
}

// Text gives the path for text of an attribute: "<attribute>.txt".
func (a *Artifacts) Text(attr string) (path string, changed bool) { return a.Path(attr+".txt", attr) }

// CSV gives the path for a table of an attribute: "<attribute>.csv".
func (a *Artifacts) CSV(attr string) (path string, changed bool) { return a.Path(attr+".csv", attr) }

// Path takes the path want, or one as near to it as possible. original tells artifacts that want
// the same path apart, so that what a path becomes does not depend on how many there are.
func (a *Artifacts) Path(want, original string) (result string, changed bool) {
	if a.files == nil {
		a.files, a.dirs, a.tries = map[pathID]struct{}{}, map[pathID]struct{}{}, map[pathID]int{}
		a.take(SidecarName)
	}
	segments := strings.Split(want, "/")
	for i, s := range segments {
		segments[i] = cleanSegment(s)
	}
	segments = limitPath(segments, want)
	for i := range len(segments) - 1 {
		a.avoidFile(segments, i)
	}
	a.avoidAll(segments, original)
	result = strings.Join(segments, "/")
	a.take(result)
	return result, result != want
}

// avoidAll changes the last name of the path while there is a file or directory of that name.
func (a *Artifacts) avoidAll(segments []string, original string) {
	whole := strings.Join(segments, "/")
	if !a.taken(whole) {
		return
	}
	last := len(segments) - 1
	name, key := segments[last], idOfPath(whole+"/"+digest(original, idBytes))
	for a.taken(strings.Join(segments, "/")) {
		segments[last] = mark(name, original+numbered(a.tries[key]))
		a.tries[key]++
	}
}

// avoidFile changes directory i of the path while there is a file of that name. The new name
// depends on the directory alone, so that its members stay together.
func (a *Artifacts) avoidFile(segments []string, i int) {
	name, dir := segments[i], strings.Join(segments[:i+1], "/")
	for n := 0; ; n++ {
		if _, isFile := a.files[idOfPath(strings.Join(segments[:i+1], "/"))]; !isFile {
			return
		}
		segments[i] = mark(name, dir+numbered(n))
	}
}

func (a *Artifacts) taken(p string) bool {
	id := idOfPath(p)
	_, isFile := a.files[id]
	_, isDir := a.dirs[id]
	return isFile || isDir
}

func (a *Artifacts) take(p string) {
	a.files[idOfPath(p)] = struct{}{}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		id := idOfPath(dir)
		if _, known := a.dirs[id]; known {
			return
		}
		a.dirs[id] = struct{}{}
	}
}

// idOfPath is equal for paths that differ by case only.
func idOfPath(p string) pathID {
	sum := blake2b.Sum256([]byte(strings.ToLower(strings.ToUpper(p))))
	return pathID(sum[:16])
}

func numbered(n int) string {
	if n == 0 {
		return ""
	}
	return "\x00" + strconv.Itoa(n)
}

// cleanSegment gives a name that every server and disk takes; a changed one ends in a digest.
func cleanSegment(s string) string {
	stem := s[:len(s)-len(extension(s))]
	if !dots(s) && strings.Trim(s, " ") == s && len(s) <= maxSegment && !hasSuffix(stem) && !hasSuffix(s) && strings.IndexFunc(s, notInName) < 0 {
		return s
	}
	return mark(s, s)
}

// mark puts a digest of original before the extension of s, cleaned and cut to fit.
func mark(s, original string) string {
	if dots(s) {
		s = "_"
	}
	ext := extension(s)
	stem := strings.Map(nameRune, s[:len(s)-len(ext)])
	if strings.HasPrefix(stem, " ") {
		stem = "_" + stem[1:] // MLflow takes it off when it lists or downloads, not when it stores
	}
	return cutBytes(stem, maxSegment-suffixLen-len(ext)) + suffixOf(original) + ext
}

// limitPath cuts a path that is too long as a whole: the last names give way to a digest.
func limitPath(segments []string, want string) []string {
	if len(strings.Join(segments, "/")) <= maxPath {
		return segments
	}
	room, kept := maxPath-maxSegment-1, 0
	for kept < len(segments)-1 && len(segments[kept])+1 <= room {
		room -= len(segments[kept]) + 1
		kept++
	}
	return append(segments[:kept:kept], mark(segments[len(segments)-1], want))
}

func nameRune(c rune) rune {
	if notInName(c) {
		return '_'
	}
	return c
}

func notInName(c rune) bool { return !word(c) && !strings.ContainsRune("-.+ ", c) }

func withExtension(attr, name string) string {
	ext := extension(name)
	if strings.HasSuffix(attr, ext) {
		return attr
	}
	return attr + ext
}

// extension gives the part from the last dot on, if it looks like an extension: short, and of ASCII
// letters, digits, "_", "-" and "+".
func extension(name string) string {
	ext := path.Ext(name)
	plain := func(c rune) bool { return c < utf8.RuneSelf && (word(c) || c == '-' || c == '+') }
	if len(ext) < 2 || len(ext) > maxExtension || strings.IndexFunc(ext[1:], func(c rune) bool { return !plain(c) }) >= 0 {
		return ""
	}
	return ext
}

func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
