package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/nexport-go/migrate"
)

const (
	// FloatHeader is the first line of the CSV of a float series that cannot be a metric.
	FloatHeader = "step,time,value\n"
	// HistogramHeader is the first line of the CSV of a histogram series.
	HistogramHeader = "step,time,type,edges,values\n"
)

// AppendFloatHeader appends FloatHeader.
func AppendFloatHeader(b []byte) []byte { return append(b, FloatHeader...) }

// AppendFloatCSV appends a row under FloatHeader: the exact step, the time by Time (empty for
// NoTime), the value by Float.
func AppendFloatCSV(b []byte, step migrate.Step, ms int64, value float64) []byte {
	b = appendPoint(b, step, ms)
	return append(AppendFloat(b, value), '\n')
}

// ParseFloatRow reads the fields of a row of AppendFloatCSV, as encoding/csv gives them.
func ParseFloatRow(fields []string) (step migrate.Step, ms int64, value float64, err error) {
	if len(fields) != 3 {
		return 0, 0, 0, errors.New("a row of a float series needs step, time and value")
	}
	if step, ms, err = parsePoint(fields); err != nil {
		return 0, 0, 0, err
	}
	value, err = strconv.ParseFloat(fields[2], 64)
	return step, ms, value, err
}

// AppendHistogramHeader appends HistogramHeader.
func AppendHistogramHeader(b []byte) []byte { return append(b, HistogramHeader...) }

// AppendHistogramRow appends a row under HistogramHeader. Edges and values are JSON lists of
// numbers, in which NaN and infinities are the strings "NaN", "Infinity", "-Infinity". The type has
// the escapes of AppendTextLine, so that every row is exactly one line.
func AppendHistogramRow(b []byte, step migrate.Step, ms int64, h migrate.Histogram) []byte {
	b = appendPoint(b, step, ms)
	b = append(appendField(b, string(appendEscaped(nil, h.Type))), ',')
	b = append(appendField(b, string(appendNumbers(nil, h.Edges))), ',')
	return append(appendField(b, string(appendNumbers(nil, h.Values))), '\n')
}

// ParseHistogramRow reads the fields of a row of AppendHistogramRow, as encoding/csv gives them.
// Lists are never nil.
func ParseHistogramRow(fields []string) (step migrate.Step, ms int64, h migrate.Histogram, err error) {
	if len(fields) != 5 {
		return 0, 0, h, errors.New("a row of a histogram series needs step, time, type, edges and values")
	}
	if step, ms, err = parsePoint(fields); err != nil {
		return 0, 0, h, err
	}
	if h.Type, err = unescape(fields[2]); err != nil {
		return 0, 0, h, fmt.Errorf("histogram type: %w", err)
	}
	if h.Edges, err = parseNumbers(fields[3]); err != nil {
		return 0, 0, h, fmt.Errorf("histogram edges: %w", err)
	}
	if h.Values, err = parseNumbers(fields[4]); err != nil {
		return 0, 0, h, fmt.Errorf("histogram values: %w", err)
	}
	return step, ms, h, nil
}

func appendPoint(b []byte, step migrate.Step, ms int64) []byte {
	b = append(step.Append(b), ',')
	return append(appendOptionalTime(b, ms), ',')
}

func parsePoint(fields []string) (step migrate.Step, ms int64, err error) {
	if step, err = ParseStep(fields[0]); err != nil {
		return 0, 0, err
	}
	ms, err = parseOptionalTime(fields[1])
	return step, ms, err
}

// appendField appends a CSV field, quoted if it has to be (RFC 4180) or begins with a space, which
// some readers take away.
func appendField(b []byte, s string) []byte {
	if !strings.ContainsAny(s, ",\"\r\n") && !strings.HasPrefix(s, " ") {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}

func appendNumbers(b []byte, list []float64) []byte {
	b = append(b, '[')
	for i, f := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			b = append(append(append(b, '"'), valueText(f)...), '"')
		} else {
			b = AppendFloat(b, f)
		}
	}
	return append(b, ']')
}

func parseNumbers(s string) ([]float64, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(s), &raw); err != nil {
		return nil, fmt.Errorf("not a JSON list: %w", err)
	}
	list := make([]float64, len(raw))
	for i, r := range raw {
		f, err := parseValue(strings.Trim(string(r), `"`))
		if err != nil {
			return nil, err
		}
		list[i] = f
	}
	return list, nil
}

// valueText is Float with the names of infinities and NaN that MLflow's JSON has.
func valueText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return Float(f)
}

func parseValue(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return f, nil
}
