package wire3

import "fmt"

// Value says which sub-message an attribute has.
type Value uint8

// The sub-messages of ProtoAttributeDTO by their field numbers.
const (
	None            Value = 0
	Int             Value = 3
	Float           Value = 4
	String          Value = 5
	Bool            Value = 6
	Datetime        Value = 7
	StringSet       Value = 8
	FloatSeries     Value = 9
	File            Value = 10
	StringSeries    Value = 11
	FileSeries      Value = 12
	HistogramSeries Value = 13
)

// Attribute is one attribute of a run: a value, or of a series that it exists.
type Attribute struct {
	Name  string
	Type  string // API name of the type, such as "floatSeries"
	Value Value  // None if there is no sub-message that this version knows

	Int     int64 // of Int and Datetime, the latter in ms since 1970 UTC
	Float   float64
	Bool    bool
	Text    string
	Set     []string
	File    FileRef
	Last    float64 // of a series: the step of its last point that is no preview, if
	HasLast bool    // there is one
	Preview bool    // of a float series: it has previews

	Err error // the value cannot be decoded
}

// FileRef says where the bytes of a file are.
type FileRef struct {
	Path string
	Size int64 // 0 also if unknown
	MIME string
}

// Entry is what an answer has of one run; a later page may have more of it.
type Entry struct {
	ID         string // UUID
	ShortID    string // sys/id; empty in the answer of a search
	Project    string // without the workspace; empty in the answer about attributes
	Workspace  string // as Project
	Attributes []Attribute
}

// Get returns the attribute of that name; nil if there is none.
func (e *Entry) Get(name string) *Attribute {
	for i := range e.Attributes {
		if e.Attributes[i].Name == name {
			return &e.Attributes[i]
		}
	}
	return nil
}

// Search decodes ProtoLeaderboardEntriesSearchResultDTO: a page of runs, and how many the server
// counts over all pages.
func Search(b []byte) (entries []Entry, total int64, err error) {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.varint(1):
			total = int64(f.bits)
		case f.message(3):
			e, err := searchEntry(f.raw)
			if err != nil {
				return nil, 0, err
			}
			entries = append(entries, e)
		}
	}
	return entries, total, f.err
}

func searchEntry(b []byte) (e Entry, err error) {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.message(1):
			e.ID = f.text()
		case f.message(5):
			e.Project = f.text()
		case f.message(6):
			e.Workspace = f.text()
		case f.message(7):
			e.Attributes = append(e.Attributes, attribute(f.raw))
		}
	}
	return e, f.err
}

// Values decodes ProtoQueryAttributesResultDTO: attributes by run, and the token of the next page,
// empty if this is the last one.
func Values(b []byte) (entries []Entry, next string, err error) {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.message(1):
			e, err := valuesEntry(f.raw)
			if err != nil {
				return nil, "", err
			}
			entries = append(entries, e)
		case f.message(2):
			if next, err = nextPage(f.raw); err != nil {
				return nil, "", err
			}
		}
	}
	return entries, next, f.err
}

func valuesEntry(b []byte) (e Entry, err error) {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.message(1):
			e.ID = f.text()
		case f.message(2):
			e.ShortID = f.text()
		case f.message(3):
			e.Attributes = append(e.Attributes, attribute(f.raw))
		}
	}
	return e, f.err
}

func nextPage(b []byte) (token string, err error) {
	f := fields{rest: b}
	for f.next() {
		if f.message(1) {
			token = f.text()
		}
	}
	return token, f.err
}

// attribute decodes ProtoAttributeDTO. Damage inside is that of the attribute.
func attribute(b []byte) (a Attribute) {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.message(1):
			a.Name = f.text()
		case f.message(2):
			a.Type = f.text()
		case f.num >= 3 && f.num <= 13 && f.raw != nil:
			if a.Value = Value(f.num); a.Err == nil {
				a.Err = a.decode(f.raw)
			}
		}
	}
	if f.err != nil {
		a.Err = f.err
	}
	return a
}

// decode reads the sub-message of a.Value. All of them have the name and the type again in front.
func (a *Attribute) decode(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		switch a.Value {
		case Int, Datetime:
			if f.varint(3) {
				a.Int = int64(f.bits)
			}
		case Float:
			if f.double(3) {
				a.Float = f.float()
			}
		case Bool:
			if f.varint(3) {
				a.Bool = f.bits != 0
			}
		case String:
			if f.message(3) {
				a.Text = f.text()
			}
		case StringSet:
			if f.message(3) {
				a.Set = append(a.Set, f.text())
			}
		case File:
			a.File.field(&f, 3)
		default:
			a.series(&f)
		}
	}
	if f.err != nil {
		return fmt.Errorf("value of type %s: %w", a.Type, f.err)
	}
	return nil
}

func (a *Attribute) series(f *fields) {
	switch {
	case f.double(3):
		a.Last, a.HasLast = f.float(), true
	case f.varint(10):
		a.Preview = f.bits != 0
	}
}

// field takes one of the three fields of a file, the first of which has the number first.
func (r *FileRef) field(f *fields, first int) {
	switch n := int(f.num) - first; {
	case n == 0 && f.raw != nil:
		r.Path = f.text()
	case n == 1 && f.varint(f.num):
		r.Size = int64(f.bits)
	case n == 2 && f.raw != nil:
		r.MIME = f.text()
	}
}
