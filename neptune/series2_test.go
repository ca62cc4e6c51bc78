package neptune_test

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/neptune"
	"github.com/nexport-go/migrate/neptune/neptunetest"
)

// odd2 is a server of float series that has its own mind: points of steps 0, 1, 2... and their values.
type odd2 struct {
	points int                                // so many, each half a step after the other
	page   func(o *odd2, in ask) (lo, hi int) // which of them an answer has
	total  func(o *odd2) int                  // what it counts; nil: points; -1: nothing
	status func(in ask) int                   // of an answer that refuses; 0: none
	change func(o *odd2, list []string)       // of the points on the wire
	mu     sync.Mutex
	asked  []ask
}

// ask is a request for a page.
type ask struct {
	limit, offset int
	step          float64 // skipToStep; -1: none
}

func askOf(query url.Values) ask {
	in := ask{step: -1}
	in.limit, _ = strconv.Atoi(query.Get("limit"))
	in.offset, _ = strconv.Atoi(query.Get("offset"))
	if s := query.Get("skipToStep"); s != "" {
		in.step, _ = strconv.ParseFloat(s, 64)
	}
	return in
}

func (o *odd2) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, pathFloats) {
		return http.DefaultTransport.RoundTrip(r)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	in := askOf(r.URL.Query())
	o.asked = append(o.asked, in)
	if o.status != nil {
		if status := o.status(in); status != 0 {
			refusal := answer(r, `{"errorType":"BAD_REQUEST","message":"no"}`)
			refusal.StatusCode = status
			return refusal, nil
		}
	}
	lo, hi := o.page(o, in)
	var list []string
	for i := lo; i < hi; i++ {
		list = append(list, fmt.Sprintf(`{"timestampMillis":%d,"step":%v,"value":%d}`, 1000+i, float64(i)/2, i))
	}
	if o.change != nil {
		o.change(o, list)
	}
	total := o.points
	if o.total != nil {
		total = o.total(o)
	}
	head := fmt.Sprintf(`"totalItemCount":%d,`, total)
	if total < 0 {
		head = ""
	}
	return answer(r, `{`+head+`"values":[`+strings.Join(list, ",")+`]}`), nil
}

// byOffset is a page as it should be, with at most so many points.
func byOffset(most int) func(*odd2, ask) (int, int) {
	return func(o *odd2, in ask) (int, int) {
		lo := min(in.offset, o.points)
		return lo, min(lo+min(in.limit, most), o.points)
	}
}

// bySteps is a page of a server that knows no offsets.
func bySteps(o *odd2, in ask) (int, int) {
	lo := min(max(int(2*in.step), 0), o.points)
	return lo, min(lo+in.limit, o.points)
}

func TestSeriesOfOddServers2(t *testing.T) {
	for _, test := range []struct {
		name   string
		server *odd2
		points int
		codes  []migrate.Code
		asks   int // at most
	}{
		{"ordinary", &odd2{points: 3500, page: byOffset(9999)}, 3500, nil, 4},
		{"just a page", &odd2{points: 1000, page: byOffset(9999)}, 1000, nil, 1},
		{"short pages", &odd2{points: 3500, page: byOffset(300)}, 3500, nil, 14},
		{"more than asked for", &odd2{points: 3500, page: func(o *odd2, in ask) (int, int) {
			return min(in.offset, o.points), min(in.offset+1500, o.points)
		}}, 3500, nil, 4},
		{"no count", &odd2{points: 3500, page: byOffset(9999), total: func(*odd2) int { return -1 }}, 3500, nil, 40},
		{"no count, short pages", &odd2{points: 2500, page: byOffset(700), total: func(*odd2) int { return -1 }}, 2500, nil, 40},
		{"a count that is too small", &odd2{points: 2500, page: byOffset(9999), total: func(*odd2) int { return 5 }}, 2500, nil, 40},
		{"no count of many", &odd2{points: 250_000, page: byOffset(9999), total: func(*odd2) int { return -1 }}, 250_000, nil, 400},
		{"a count that is too large", &odd2{points: 2500, page: byOffset(9999), total: func(*odd2) int { return 2600 }}, 2500, []migrate.Code{migrate.CodeMissing}, 6},
		{"a hole", &odd2{points: 5000, page: func(o *odd2, in ask) (int, int) {
			if in.offset == 2000 {
				return 0, 0
			}
			return byOffset(9999)(o, in)
		}}, 4000, []migrate.Code{migrate.CodeMissing}, 6},
		{"it grows", &odd2{points: 1500, page: func(o *odd2, in ask) (int, int) {
			o.points = min(o.points+700, 6100)
			return byOffset(9999)(o, in)
		}}, 6100, nil, 20},
		{"it is empty", &odd2{page: byOffset(9999)}, 0, []migrate.Code{migrate.CodeDetail}, 1},
		{"only empty pages", &odd2{points: 10, page: func(*odd2, ask) (int, int) { return 0, 0 }}, 0, []migrate.Code{migrate.CodeMissing}, 4},
		{"offsets are passed over", &odd2{points: 3500, page: bySteps}, 3500, nil, 16},
		{"offsets are refused", &odd2{points: 3500, page: bySteps, status: func(in ask) int {
			if in.offset > 0 {
				return 400
			}
			return 0
		}}, 3500, nil, 16},
		{"neither offsets nor steps", &odd2{points: 3500, page: func(o *odd2, in ask) (int, int) { return 0, in.limit }}, 1000, []migrate.Code{migrate.CodeMissing}, 16},
		{"it ends in refusals", &odd2{points: 3500, page: byOffset(9999), status: func(in ask) int {
			if in.offset > 0 {
				return 404
			}
			return 0
		}}, 1000, []migrate.Code{migrate.CodeMissing}, 9},
		{"it refuses", &odd2{points: 3500, status: func(ask) int { return 400 }}, 0, []migrate.Code{migrate.CodeUnreadable}, 1},
		{"points without values", &odd2{points: 1500, page: byOffset(9999), change: func(_ *odd2, list []string) {
			list[7] = `{"timestampMillis":5,"step":3.5,"value":null}`
		}}, 1498, []migrate.Code{migrate.CodeUnreadable}, 2},
		{"not in order", &odd2{points: 10, page: byOffset(9999), change: func(_ *odd2, list []string) { slices.Reverse(list) }}, 10, nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := project(neptunetest.Attribute{Path: "m", Value: neptunetest.FloatSeries{}})
			source := open2(t, serve2(t, neptunetest.Options{}, p), func(cfg *neptune.Config) { quick(cfg); cfg.Client = test.server })
			got, problems := readRun(t, source, first2(p))
			checkOdd(t, got["m"].Points, test.points, test.server.change != nil)
			var codes []migrate.Code
			for _, problem := range problems {
				codes = append(codes, problem.Code)
			}
			if diff := cmp.Diff(test.codes, codes); diff != "" {
				t.Errorf("problems %v (-want +got):\n%s", problems, diff)
			}
			if len(test.server.asked) > test.asks {
				t.Errorf("%d requests: %v", len(test.server.asked), test.server.asked)
			}
		})
	}
}

// checkOdd wants so many points, in order, each once; holes are allowed.
func checkOdd(t *testing.T, got []point, want int, changed bool) {
	t.Helper()
	if len(got) != want {
		t.Errorf("%d points, want %d", len(got), want)
	}
	last := -1.0
	for i, p := range got {
		n, _ := p.Value.(float64)
		step, _ := migrate.StepOf(n / 2)
		if n <= last || p.Step != step.String() || !changed && p.Time != 1000+int64(n) {
			t.Fatalf("point %d is %+v after the value %v", i, p, last)
		}
		last = n
	}
}

// Once it is known that a server has no offsets, other series are asked for by steps at once.
func TestStepsAreRemembered(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "m", Value: neptunetest.FloatSeries{}})
	server := &odd2{points: 3500, page: bySteps}
	source := open2(t, serve2(t, neptunetest.Options{}, p), func(cfg *neptune.Config) { cfg.Client = server })
	readRun(t, source, first2(p))
	server.asked = nil
	readRun(t, source, first2(p))
	for _, in := range server.asked {
		if in.offset > 0 {
			t.Errorf("an offset was tried again: %+v", in)
		}
	}
}

// An answer to the request for all attributes that cannot be had is made up for by the search.
func TestAttributesBySearch(t *testing.T) {
	p := world(t, "neptune2-de-ordinary")
	server := serve2(t, neptunetest.Options{}, p)
	server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
		if strings.HasSuffix(r.URL.Path, pathAttributes) {
			return neptunetest.Fault{Status: 500}
		}
		return neptunetest.Fault{}
	})
	generations[1].check(t, open2(t, server, func(cfg *neptune.Config) { everything(cfg); quick(cfg) }), p)
}

// What one attribute cannot give costs no other.
func TestAttributesThatCannotBeRead2(t *testing.T) {
	var attributes []neptunetest.Attribute
	for i := range 30 {
		attributes = append(attributes,
			neptunetest.Attribute{Path: fmt.Sprintf("m/%02d", i), Value: floats(3)},
			neptunetest.Attribute{Path: fmt.Sprintf("t/%02d", i), Value: neptunetest.StringSeries{{Step: 1, Value: "x"}}},
		)
	}
	for status, code := range map[int]migrate.Code{404: migrate.CodeMissing, 400: migrate.CodeUnreadable, 500: migrate.CodeUnreadable, 422: migrate.CodeUnreadable} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			p := project(attributes...)
			server := serve2(t, neptunetest.Options{}, p)
			bad := []string{"m/00", "m/17", "t/29"}
			server.SetFault(func(_ int, r *http.Request) neptunetest.Fault {
				if slices.Contains(bad, r.URL.Query().Get("attribute")) {
					return neptunetest.Fault{Status: status}
				}
				return neptunetest.Fault{}
			})
			got, problems := readRun(t, open2(t, server, quick), first2(p))
			for _, a := range attributes {
				if slices.Contains(bad, a.Path) != (len(got[a.Path].Points) == 0) {
					t.Errorf("%s: %v", a.Path, got[a.Path])
				}
			}
			var paths []string
			for _, problem := range problems {
				if paths = append(paths, problem.Path); problem.Code != code {
					t.Errorf("problem %s", problem)
				}
			}
			if slices.Sort(paths); !slices.Equal(paths, bad) {
				t.Errorf("problems with %v", paths)
			}
		})
	}
}

// A receiver that has had enough ends all that was read ahead.
func TestReceiverStops2(t *testing.T) {
	p := project()
	for i := range 40 {
		p.Runs[0].Attributes = append(p.Runs[0].Attributes, neptunetest.Attribute{Path: fmt.Sprintf("m/%02d", i), Value: floats(4000)})
	}
	source := open2(t, serve2(t, neptunetest.Options{NoRecord: true}, p), nil)
	for stop := 0; stop < 60; stop += 5 {
		r, err := source.OpenRun(t.Context(), first2(p))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range r.Chunks(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n > stop {
				break
			}
		}
		if n != stop+1 || len(r.Problems()) > 0 {
			t.Errorf("stopped after %d chunks of %d; problems %v", n, stop+1, r.Problems())
		}
	}
}

// Steps may be fractions, or as large as milliseconds since 1970; times are those that were logged, whatever the zone of this
// machine; and numbers may be none.
func TestStepsAndTimes2(t *testing.T) {
	p := project(neptunetest.Attribute{Path: "m", Value: neptunetest.FloatSeries{
		{Step: -2.5, TimeMS: -1, Value: math.Inf(-1)},
		{Step: 0.000001, TimeMS: 0, Value: math.NaN()},
		{Step: 0.30000000000000004, TimeMS: 1_711_846_800_000, Value: math.Copysign(0, -1)}, // when clocks were put forward
		{Step: 1_700_000_000_123, TimeMS: 1_729_990_800_000, Value: 5e-324},
		{Step: 9_000_000_000_000.5, TimeMS: 4_102_444_800_000, Value: math.MaxFloat64},
		{Step: 1e15, TimeMS: 5, Value: 1},
	}})
	for _, bare := range []bool{true, false} {
		source := open2(t, serve2(t, neptunetest.Options{BareNaN: bare}, p), nil)
		got, problems := readRun(t, source, first2(p))
		var texts []string
		for _, point := range got["m"].Points {
			texts = append(texts, fmt.Sprint(point.Step, " ", point.Time, " ", point.Value))
		}
		want := []string{
			"-2.5 -1 -Inf", "0.000001 0 NaN", "0.3 1711846800000 -0", "1700000000123 1729990800000 5e-324",
			"9000000000000.5 4102444800000 1.7976931348623157e+308",
		}
		if diff := cmp.Diff(want, texts); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if len(problems) != 1 || problems[0].Code != migrate.CodeUnreadable || !strings.Contains(problems[0].Text, "1 points") {
			t.Errorf("problems %v", problems)
		}
	}
}
