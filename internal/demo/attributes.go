package demo

import (
	"fmt"
	"path"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
)

func (r *reader) add(path string, kind migrate.Kind, values func() migrate.Values) {
	r.attributes = append(r.attributes, attribute{path, kind, func() migrate.Chunk {
		return migrate.Chunk{Values: values()}
	}})
}

func (r *reader) int(path string, v int64) {
	r.add(path, migrate.KindInt, func() migrate.Values { return migrate.Ints{v} })
}

func (r *reader) float(path string, v float64) {
	r.add(path, migrate.KindFloat, func() migrate.Values { return migrate.Floats{v} })
}

func (r *reader) bool(path string, v bool) {
	r.add(path, migrate.KindBool, func() migrate.Values { return migrate.Bools{v} })
}

func (r *reader) string(path, v string) {
	r.add(path, migrate.KindString, func() migrate.Values { return migrate.Strings{v} })
}

func (r *reader) time(path string, v time.Time) {
	r.add(path, migrate.KindDatetime, func() migrate.Values { return migrate.Datetimes{v.UnixMilli()} })
}

func (r *reader) set(path string, v ...string) {
	if len(v) > 0 {
		r.add(path, migrate.KindStringSet, func() migrate.Values {
			return migrate.StringSets{append([]string(nil), v...)}
		})
	}
}

// file adds a file under attribute, made when it is opened.
func (r *reader) file(attribute, name string, make file) {
	ref := migrate.FileRef{Key: attribute, Name: name, MIME: mimeOf(name), Size: -1}
	r.files[ref.Key] = make
	r.add(attribute, migrate.KindFile, func() migrate.Values { return migrate.Files{ref} })
}

func (r *reader) text(attribute, name, text string) {
	r.file(attribute, name, func() ([]byte, error) { return []byte(text), nil })
}

func mimeOf(name string) string {
	switch path.Ext(name) {
	case ".png":
		return "image/png"
	case ".csv":
		return "text/csv"
	case ".yaml":
		return "application/yaml"
	default:
		return "text/plain"
	}
}

// series adds an attribute with a value at each of steps, which values makes anew each time.
func (r *reader) series(path string, kind migrate.Kind, t *training, steps []int64, values func() migrate.Values) {
	r.attributes = append(r.attributes, attribute{path, kind, func() migrate.Chunk {
		c := migrate.Chunk{Values: values()}
		for _, step := range steps {
			c.Steps = append(c.Steps, migrate.Step(step)*migrate.StepUnit)
			c.Times = append(c.Times, t.timeOf(step).UnixMilli())
		}
		return c
	}})
}

func (r *reader) floats(path string, t *training, steps []int64, values []float64) {
	r.series(path, migrate.KindFloatSeries, t, steps, func() migrate.Values {
		return append(migrate.Floats(nil), values...)
	})
}

func (r *reader) strings(path string, t *training, steps []int64, values []string) {
	r.series(path, migrate.KindStringSeries, t, steps, func() migrate.Values {
		return append(migrate.Strings(nil), values...)
	})
}

// images adds a picture for each of steps, drawn when it is opened.
func (r *reader) images(attribute string, t *training, steps []int64, draw func(step int64) ([]byte, error)) {
	var refs migrate.Files
	for _, step := range steps {
		key := fmt.Sprint(attribute, "/", step)
		r.files[key] = func() ([]byte, error) { return draw(step) }
		refs = append(refs, migrate.FileRef{
			Key: key, Name: attribute[strings.LastIndexByte(attribute, '/')+1:] + ".png", MIME: "image/png", Size: -1,
		})
	}
	r.series(attribute, migrate.KindFileSeries, t, steps, func() migrate.Values {
		return append(migrate.Files(nil), refs...)
	})
}
