package wire2_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune/internal/wire2"
)

// one wraps an attribute's type and properties.
func one(kind, properties string) string {
	return `{"attributes":[{"name":"x","type":"` + kind + `","` + kind + `Properties":` + properties + `}]}`
}

func TestAttributes(t *testing.T) {
	for _, test := range []struct {
		kind, properties string
		want             wire2.Attribute
	}{
		{"float", `{"attributeName":"x","attributeType":"float","value":0.1}`, wire2.Attribute{Float: 0.1, Size: -1}},
		{"float", `{"value":"-Infinity"}`, wire2.Attribute{Float: math.Inf(-1), Size: -1}},
		{"float", `{"value":NaN}`, wire2.Attribute{Float: math.NaN(), Size: -1}},
		{"float", `{"value":-0.0}`, wire2.Attribute{Float: math.Copysign(0, -1), Size: -1}},
		{"float", `{"value":1e400}`, wire2.Attribute{Float: math.Inf(1), Size: -1}},
		{"int", `{"value":9223372036854775807}`, wire2.Attribute{Int: math.MaxInt64, Size: -1}},
		{"int", `{"value":-9007199254740993}`, wire2.Attribute{Int: -9007199254740993, Size: -1}},
		{"int", `{"value":"12"}`, wire2.Attribute{Int: 12, Size: -1}},
		{"int", `{"value":5.0}`, wire2.Attribute{Int: 5, Size: -1}},
		{"bool", `{"value":true}`, wire2.Attribute{Bool: true, Size: -1}},
		{"string", `{"value":"a\nNaN \"b\""}`, wire2.Attribute{Text: "a\nNaN \"b\"", Size: -1}},
		{"string", `{"value":""}`, wire2.Attribute{Size: -1}},
		{"datetime", `{"value":"2024-01-02T03:04:05.678Z"}`, wire2.Attribute{Text: "2024-01-02T03:04:05.678Z", Int: 1704164645678, Size: -1}},
		{"datetime", `{"value":"2024-01-02T04:04:05.678999999+01:00"}`, wire2.Attribute{Text: "2024-01-02T04:04:05.678999999+01:00", Int: 1704164645678, Size: -1}},
		{"datetime", `{"value":"1969-12-31T23:59:59.9999Z"}`, wire2.Attribute{Text: "1969-12-31T23:59:59.9999Z", Int: -1, Size: -1}},
		{"datetime", `{"value":"2024-01-02T03:04:05+0000"}`, wire2.Attribute{Text: "2024-01-02T03:04:05+0000", Int: 1704164645000, Size: -1}},
		{"stringSet", `{"values":["b","a"]}`, wire2.Attribute{Set: []string{"b", "a"}, Size: -1}},
		{"stringSet", `{"values":[]}`, wire2.Attribute{Set: []string{}, Size: -1}},
		{"floatSeries", `{"config":{},"last":0.5,"lastStep":2499.0}`, wire2.Attribute{HasLast: true, Size: -1}},
		{"floatSeries", `{"config":{"unit":"<%>","min":0,"max":null}}`, wire2.Attribute{Config: `{"min":0,"unit":"<%>"}`, Size: -1}},
		{"floatSeries", `{"config":null,"last":null}`, wire2.Attribute{Size: -1}},
		{"stringSeries", `{"last":""}`, wire2.Attribute{HasLast: true, Size: -1}},
		{"imageSeries", `{"channelId":"c1","lastStep":4.0}`, wire2.Attribute{Channel: "c1", LastStep: "4.0", HasLast: true, Size: -1}},
		{"file", `{"name":"f/file.txt","ext":"txt","size":5}`, wire2.Attribute{FileName: "f/file.txt", Ext: "txt", Size: 5}},
		{"file", `{"name":null,"size":null}`, wire2.Attribute{Size: -1}},
		{"fileSet", `{"size":0}`, wire2.Attribute{}},
		{"artifact", `{"hash":"abab"}`, wire2.Attribute{Hash: "abab", Size: -1}},
		{"experimentState", `{"attributeName":"x","attributeType":"experimentState","value":"idle"}`, wire2.Attribute{Raw: []byte(`"idle"`), Size: -1}},
		{
			"gitRef", `{ "attributeName":"x", "commit":{"commitId":"c", "commitDate":"d"}, "attributeType":"gitRef", "remotes":[ "<r>" ] }`,
			wire2.Attribute{Raw: []byte(`{"commit":{"commitId":"c","commitDate":"d"},"remotes":["<r>"]}`)},
		},
		{"notebookRef", `{"notebookId":"n","notebookDeleted":false}`, wire2.Attribute{Raw: []byte(`{"notebookId":"n","notebookDeleted":false}`)}},
		{"complex", `{"value":[1,2.50]}`, wire2.Attribute{Raw: []byte(`{"value":[1,2.50]}`)}},
	} {
		t.Run(test.kind+test.properties, func(t *testing.T) {
			got, err := wire2.Attributes([]byte(one(test.kind, test.properties)))
			if err != nil {
				t.Fatal(err)
			}
			test.want.Name, test.want.Type = "x", test.kind
			if diff := cmp.Diff([]wire2.Attribute{test.want}, got, sameBits); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// sameBits tells −0 from 0.
var sameBits = cmp.Comparer(func(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
})

// TestMembers: keys may be escaped, come in any order and several times, and with any spaces and members that are not known.
func TestMembers(t *testing.T) {
	got, err := wire2.Attributes([]byte(` { "attributes" : [ { } , {"intProperties":{"value":1},"x":{"y":[{}, "]}", []]}, "t\u0079pe" : "int" ,"name":"a","name":"}\"",` +
		`"intProperties" : { "value":[2] , "value" : 3 }, "z": -1.5e+3 } ] , "attributes2":[]}`))
	if err != nil || len(got) != 2 || got[0].Err == nil || got[1].Err != nil || got[1].Name != `}"` || got[1].Int != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

// What is wrong with one attribute is told of that one.
func TestDamagedAttributes(t *testing.T) {
	for _, damaged := range []string{
		`{"name":"d","type":"float","floatProperties":{"value":"x"}}`,
		`{"name":"d","type":"float","floatProperties":{"value":"0x1p3"}}`,
		`{"name":"d","type":"float","floatProperties":{}}`,
		`{"name":"d","type":"float","floatProperties":[]}`,
		`{"name":"d","type":"float"}`,
		`{"name":"d","type":"int","intProperties":{"value":1.5}}`,
		`{"name":"d","type":"int","intProperties":{"value":9223372036854775808}}`,
		`{"name":"d","type":"datetime","datetimeProperties":{"value":"yesterday"}}`,
		`{"name":"d","type":"artifact","artifactProperties":{}}`,
		`{"name":"d","type":"experimentState","experimentStateProperties":{}}`,
		`{"name":"d","type":"float","floatProperties":{"value":1},"floatProperties":[]}`,
		`{"name":"d"}`,
		`{"type":"int"}`,
		`7`,
	} {
		got, err := wire2.Attributes([]byte(`{"attributes":[` + damaged + `,{"name":"y","type":"bool","boolProperties":{"value":true}}]}`))
		if err != nil || len(got) != 2 || got[0].Err == nil || got[1].Err != nil || !got[1].Bool {
			t.Errorf("%s: %+v, %v", damaged, got, err)
		}
	}
	for _, answer := range []string{``, `{}`, `[]`, `{"attributes":{}}`, `{"attributes":[`, `<html>`} {
		if got, err := wire2.Attributes([]byte(answer)); err == nil {
			t.Errorf("%q gives %v and no error", answer, got)
		}
	}
}

func TestSearch(t *testing.T) {
	entries, total, err := wire2.Search([]byte(`{"matchingItemCount":12345678901,"entries":[{"experimentId":"u1","type":"run",
 "attributes":[{"name":"sys/id","type":"string","stringProperties":{"value":"PRJ-1"}},{"name":"sys/size","type":"float","floatProperties":{"value":true}}]}]}`))
	if err != nil || total != 12345678901 || len(entries) != 1 || entries[0].ID != "u1" || entries[0].Type != "run" {
		t.Fatalf("%+v, %d, %v", entries, total, err)
	}
	if a := entries[0].Get("sys/id"); a == nil || a.Text != "PRJ-1" {
		t.Errorf("sys/id is %+v", a)
	}
	if a := entries[0].Get("sys/size"); a != nil {
		t.Errorf("a damaged attribute is %+v", a)
	}
	if _, total, err := wire2.Search([]byte(`{"entries":[]}`)); err != nil || total != -1 {
		t.Errorf("total %d, %v", total, err)
	}
	if _, _, err := wire2.Search([]byte(`{"message":"x"}`)); err == nil {
		t.Error("what is no page gives no error")
	}
}

const million = migrate.StepUnit

// pages are decoded in the short way and in the long one.
var pages = []struct {
	name, text string
	want       wire2.Points
}{
	{"none", `{"totalItemCount":0,"values":[]}`, wire2.Points{Last: math.Inf(-1)}},
	{
		"ordinary", `{"totalItemCount":2500,"values":[{"timestampMillis":1704164645678,"step":0.0,"value":0.0},{"timestampMillis":1704164645679,"step":1.0,"value":0.5}]}`,
		wire2.Points{
			Steps: []migrate.Step{0, million}, Times: []int64{1704164645678, 1704164645679}, Floats: []float64{0, 0.5},
			Count: 2, Total: 2500, Last: 1,
		},
	},
	{
		"another order", ` { "values" : [ {"value":"NaN","step":-0.5,"timestampMillis":-3} ] , "totalItemCount" : 1 } `,
		wire2.Points{Steps: []migrate.Step{-million / 2}, Times: []int64{-3}, Floats: []float64{math.NaN()}, Count: 1, Total: 1, Last: -0.5},
	},
	{
		"bare", `{"values":[{"value":-Infinity,"step":1,"timestampMillis":0,"more":[{}]},{"value":1,"step":NaN,"timestampMillis":0}]}`,
		wire2.Points{Steps: []migrate.Step{million}, Times: []int64{0}, Floats: []float64{math.Inf(-1)}, Count: 2, Odd: 1, Total: -1, Last: 1},
	},
	{
		"digits", `{"values":[{"value":0.12345678901234567,"step":1e3,"timestampMillis":0},{"value":-0.0,"step":2000.1234567,"timestampMillis":0},{"value":5e-324,"step":1e300,"timestampMillis":9}]}`,
		wire2.Points{
			Steps: []migrate.Step{1000 * million, 2000123457}, Times: []int64{0, 0}, Floats: []float64{0.12345678901234567, math.Copysign(0, -1)},
			Count: 3, Odd: 1, Total: -1, Last: 1e300,
		},
	},
	{
		"not sorted", `{"values":[{"value":1,"step":2,"timestampMillis":0},{"value":2,"step":1,"timestampMillis":0},{"value":3,"step":2,"timestampMillis":1}]}`,
		wire2.Points{Steps: []migrate.Step{million, 2 * million, 2 * million}, Times: []int64{0, 0, 1}, Floats: []float64{2, 1, 3}, Count: 3, Total: -1, Last: 2},
	},
	{
		"holes", `{"values":[{"value":null,"step":1,"timestampMillis":0},{"step":2,"timestampMillis":0},{"value":1,"timestampMillis":0},{"value":1,"step":3}]}`,
		wire2.Points{Steps: []migrate.Step{3 * million}, Times: []int64{migrate.NoTime}, Floats: []float64{1}, Count: 4, Odd: 3, Total: -1, Last: 3},
	},
}

func TestFloatPages(t *testing.T) {
	for _, test := range pages {
		t.Run(test.name, func(t *testing.T) {
			got, err := wire2.FloatPage([]byte(test.text))
			if diff := cmp.Diff(test.want, got, sameBits, cmpopts.EquateEmpty()); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestStringPages(t *testing.T) {
	got, err := wire2.StringPage([]byte(`{"totalItemCount":3,"values":[{"timestampMillis":1,"step":1.0,"value":"a \"quoted\" \u00e9\ud83d\ude00"},` +
		`{"timestampMillis":2,"step":2.0,"value":"é"},{"timestampMillis":3,"step":3.0,"value":""}]}`))
	want := wire2.Points{
		Steps: []migrate.Step{million, 2 * million, 3 * million}, Times: []int64{1, 2, 3}, Texts: []string{`a "quoted" é😀`, "é", ""},
		Count: 3, Total: 3, Last: 3,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestPagesThatAreNone(t *testing.T) {
	for _, text := range []string{
		``, `null`, `{}`, `{"values":null}`, `{"values":[`, `{"values":[{}]`, `{"values":[7]}`, `{"values":[{"value":"x","step":1,"timestampMillis":1}]}`,
		`{"values":[{"value":1,"step":"x","timestampMillis":1}]}`, `{"values":[{"value":1,"step":1,"timestampMillis":1.5}]}`,
		`{"values":[{"value":01,"step":1,"timestampMillis":1}]}`, `{"values":[{"value":1.,"step":1,"timestampMillis":1}]}`, `{"values":[]}x`,
	} {
		if got, err := wire2.FloatPage([]byte(text)); err == nil {
			t.Errorf("%q gives %+v and no error", text, got)
		}
	}
}

func TestAfterAndKeep(t *testing.T) {
	page := func() wire2.Points {
		p, err := wire2.FloatPage([]byte(pages[1].text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := page()
	if p.After(0); p.Count != 1 || p.Floats[0] != 0.5 {
		t.Errorf("after step 0: %+v", p)
	}
	p = page()
	if p.After(million); p.Count != 0 || len(p.Floats) != 0 {
		t.Errorf("after the last step: %+v", p)
	}
	p = page()
	if p.Keep(1); p.Count != 1 || len(p.Times) != 1 || p.Floats[0] != 0 {
		t.Errorf("one of them: %+v", p)
	}
}

// FuzzPages wants the short way to agree with the long one, which takes the page if a member is added to it.
func FuzzPages(f *testing.F) {
	for _, page := range pages {
		f.Add(page.text)
	}
	for _, number := range []string{
		"0", "-0", "-0.0", "00", "0.1", "123456789012345", "1234567890123456", "9007199254740993", "0.000000000000001", "0.0000000000000001",
		"1234567.12345678", "12345678.12345678", "0.30000000000000004", "1.", ".5", "-", "1e5", "-1E-5", "1e999", "1.5.5",
	} {
		f.Add(`{"values":[{"timestampMillis":1,"step":` + number + `,"value":` + number + `}]}`)
	}
	f.Add(`{"values":[{"value":"a\u00e9","step":1,"timestampMillis":1}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			return
		}
		long := text[:open+1] + `"z":0,` + text[open+1:]
		for name, decode := range map[string]func([]byte) (wire2.Points, error){"floats": wire2.FloatPage, "strings": wire2.StringPage} {
			short, err := decode([]byte(text))
			if err != nil {
				continue
			}
			want, err := decode([]byte(long))
			if diff := cmp.Diff(want, short, sameBits, cmpopts.EquateEmpty()); diff != "" || err != nil {
				t.Fatalf("%s of %q: %v (-long +short):\n%s", name, text, err, diff)
			}
			if n := len(short.Steps); len(short.Times) != n || len(short.Floats)+len(short.Texts) != n || short.Count != n+short.Odd {
				t.Fatalf("%s of %q do not fit together: %+v", name, text, short)
			}
		}
	})
}

// FuzzAttributes wants whatever comes to be either an error or attributes, each of which is one or has an error.
func FuzzAttributes(f *testing.F) {
	f.Add(one("float", `{"value":NaN}`))
	f.Add(one("gitRef", `{"a":{"b":[1]}}`))
	f.Add(one("complex", `[1]`))
	f.Fuzz(func(t *testing.T, text string) {
		all, err := wire2.Attributes([]byte(text))
		if err != nil {
			return
		}
		for _, a := range all {
			if a.Err == nil && a.Raw != nil && !json.Valid(a.Raw) {
				t.Fatalf("%q has the raw value %q", text, a.Raw)
			}
		}
	})
}

// FuzzUnmarshal wants proper JSON to be decoded as by encoding/json.
func FuzzUnmarshal(f *testing.F) {
	f.Add(`{"a":"NaN","b":[1,-2,"-Infinity\\"]}`)
	f.Add(`[NaN,-Infinity]`)
	f.Fuzz(func(t *testing.T, text string) {
		var want, got any
		wantErr, gotErr := json.Unmarshal([]byte(text), &want), wire2.Unmarshal([]byte(text), &got)
		if wantErr == nil && (gotErr != nil || !cmp.Equal(want, got)) {
			t.Fatalf("%q gives %v, %v; want %v", text, got, gotErr, want)
		}
	})
}

func BenchmarkFloatPage(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"totalItemCount":1000,"values":[`)
	for i := range 1000 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"timestampMillis":%d,"step":%d.0,"value":%v}`, 1704164645678+i, i, math.Sqrt(float64(i)))
	}
	text.WriteString(`]}`)
	page := []byte(text.String())
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire2.FloatPage(page); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAttributes decodes those of a run of a few dozen.
func BenchmarkAttributes(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"attributes":[`)
	for i := range 10 {
		fmt.Fprintf(&text, `{"name":"parameters/p%d","type":"string","stringProperties":{"attributeType":"string","attributeName":"parameters/p%d","value":"some text"}},`, i, i)
		fmt.Fprintf(&text, `{"name":"parameters/q%d","type":"float","floatProperties":{"attributeType":"float","attributeName":"parameters/q%d","value":%d.5}},`, i, i, i)
		fmt.Fprintf(&text, `{"name":"metrics/m%d","type":"floatSeries","floatSeriesProperties":{"attributeType":"floatSeries","attributeName":"metrics/m%d",`+
			`"config":null,"last":0.25,"lastStep":999.0,"min":0.1,"max":7.5,"average":1.5,"variance":0.5}},`, i, i)
	}
	page := []byte(strings.TrimSuffix(text.String(), ",") + `]}`)
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if all, err := wire2.Attributes(page); err != nil || len(all) != 30 {
			b.Fatal(len(all), err)
		}
	}
}
