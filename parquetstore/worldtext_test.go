package parquetstore_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	migrate "github.com/nexport-go/migrate"
)

// world is what an archive was exported from.
type world struct {
	Generation    int        `json:"generation"`
	Project       string     `json:"project"`
	Runs          []worldRun `json:"runs"`
	Models        []worldRun `json:"models"`
	ModelVersions []worldRun `json:"model_versions"`
}

type worldRun struct {
	SysID      string      `json:"sys_id"`
	CustomID   string      `json:"custom_run_id"`
	Attributes []worldAttr `json:"attributes"`
}

type worldAttr struct {
	Path   string              `json:"path"`
	Type   migrate.Kind        `json:"type"`
	Value  json.RawMessage     `json:"value"`
	Points [][]json.RawMessage `json:"points"`
	B64    *string             `json:"b64"`
	Size   *int64              `json:"size"`
	Hash   string              `json:"hash"`
}

func (r worldRun) id(generation int) string {
	if r.CustomID != "" && generation == 3 {
		return r.CustomID
	}
	return r.SysID
}

// attrText is one attribute as text: one line for each value or point.
type attrText map[string][]string // by kind and path

func texts(t *testing.T, r migrate.RunReader) attrText {
	t.Helper()
	all := attrText{}
	for c, err := range r.Chunks(context.Background(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		key := string(c.Kind) + " " + c.Path
		for i := range c.Len() {
			line := valueText(t, r, c.Values, i)
			if c.Steps != nil {
				line = c.Steps[i].String() + " " + timeText(c.Times[i]) + " " + line
			}
			all[key] = append(all[key], line)
		}
	}
	return all
}

func timeText(ms int64) string {
	if ms == migrate.NoTime {
		return "-"
	}
	return strconv.FormatInt(ms, 10)
}

func valueText(t *testing.T, r migrate.RunReader, values migrate.Values, i int) string {
	t.Helper()
	switch v := values.(type) {
	case migrate.Ints:
		return strconv.FormatInt(v[i], 10)
	case migrate.Floats:
		return floatText(v[i])
	case migrate.Strings:
		return strconv.Quote(v[i])
	case migrate.Bools:
		return strconv.FormatBool(v[i])
	case migrate.Datetimes:
		return strconv.FormatInt(v[i], 10)
	case migrate.StringSets:
		set := slices.Clone(v[i])
		sort.Strings(set)
		return fmt.Sprintf("%q", set)
	case migrate.Histograms:
		return histText(v[i])
	case migrate.Files:
		return fileText(t, r, v[i])
	}
	t.Fatalf("values of type %T", values)
	return ""
}

func floatText(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func histText(h migrate.Histogram) string {
	var b strings.Builder
	b.WriteString(h.Type)
	for _, list := range [][]float64{h.Edges, h.Values} {
		for _, f := range list {
			b.WriteString(" " + floatText(f))
		}
		b.WriteString(" |")
	}
	return b.String()
}

func fileText(t *testing.T, r migrate.RunReader, ref migrate.FileRef) string {
	t.Helper()
	f, err := r.OpenFile(context.Background(), ref)
	if err != nil {
		t.Errorf("open %q: %v", ref.Key, err)
		return "unopened"
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil || int64(len(b)) != ref.Size {
		t.Errorf("%q has %d bytes, want %d: %v", ref.Key, len(b), ref.Size, err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// worldTexts says what the attributes of a world's run are. Generated files are only compared by
// existence, file sets and artifacts likewise.
func worldTexts(t *testing.T, r worldRun) attrText {
	t.Helper()
	all := attrText{}
	for _, a := range r.Attributes {
		key := string(a.Type) + " " + a.Path
		switch {
		case a.Type.Series():
			for _, p := range a.Points {
				if len(p) < 4 {
					all[key] = append(all[key], pointText(t, a.Type, p))
				}
			}
		case a.Type == migrate.KindFile && a.B64 != nil:
			all[key] = []string{*a.B64}
		case a.Type == migrate.KindFile, a.Type == migrate.KindFileSet, a.Type == migrate.KindArtifact:
			all[key] = []string{"*"}
		default:
			all[key] = []string{scalarText(t, a.Type, a.Value)}
		}
	}
	return all
}

func pointText(t *testing.T, k migrate.Kind, p []json.RawMessage) string {
	t.Helper()
	step, ok := migrate.StepOf(worldFloat(t, p[0]))
	line := step.String()
	if !ok {
		line = "far"
	}
	return line + " " + string(p[2]) + " " + scalarText(t, k, p[1])
}

func worldFloat(t *testing.T, raw json.RawMessage) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func scalarText(t *testing.T, k migrate.Kind, raw json.RawMessage) string {
	t.Helper()
	switch k {
	case migrate.KindFloat, migrate.KindFloatSeries:
		return floatText(worldFloat(t, raw))
	case migrate.KindInt, migrate.KindBool, migrate.KindDatetime:
		return string(raw)
	case migrate.KindStringSet:
		set := decode[[]string](t, raw)
		sort.Strings(set)
		return fmt.Sprintf("%q", set)
	case migrate.KindHistogramSeries:
		return worldHist(t, raw)
	case migrate.KindFileSeries:
		return decode[worldAttr](t, raw).file()
	case migrate.KindString, migrate.KindStringSeries:
		return strconv.Quote(decode[string](t, raw))
	}
	return string(raw)
}

func (a worldAttr) file() string {
	if a.B64 == nil {
		return "*"
	}
	return *a.B64
}

func worldHist(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	h := decode[struct {
		Type          string
		Edges, Values []json.RawMessage
	}](t, raw)
	out := migrate.Histogram{Type: h.Type}
	for _, e := range h.Edges {
		out.Edges = append(out.Edges, worldFloat(t, e))
	}
	for _, v := range h.Values {
		out.Values = append(out.Values, worldFloat(t, v))
	}
	return histText(out)
}

func decode[T any](t *testing.T, raw json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// differences compares a run with the world's, as "what kind" with the paths.
func differences(got, want attrText, found map[string][]string, run string) {
	for key, lines := range want {
		kind, path, _ := strings.Cut(key, " ")
		have, there := got[key]
		slices.Sort(have)
		slices.Sort(lines)
		switch {
		case !there && len(lines) > 0:
			found["missing "+kind] = append(found["missing "+kind], run+" "+path)
		case slices.EqualFunc(have, lines, sameText):
		default:
			found["differs "+kind] = append(found["differs "+kind], run+" "+path)
		}
	}
	for key := range got {
		if _, there := want[key]; !there {
			kind, path, _ := strings.Cut(key, " ")
			found["extra "+kind] = append(found["extra "+kind], run+" "+path)
		}
	}
}

// sameText takes "*" at the end of want for bytes that the world does not have.
func sameText(have, want string) bool {
	start, generated := strings.CutSuffix(want, "*")
	return have == want || generated && strings.HasPrefix(have, start)
}
