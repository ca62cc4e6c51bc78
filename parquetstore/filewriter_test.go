package parquetstore

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/parquet/file"

	migrate "github.com/nexport-go/migrate"
)

// TestNumbersByArrow has Arrow read columns of numbers, with long and short stretches of nulls, one that has nothing else,
// and values whose differences do not fit into 64 bits.
func TestNumbersByArrow(t *testing.T) {
	const many = 3_000
	series := migrate.Chunk{Path: "f", Kind: migrate.KindFloatSeries}
	var floats migrate.Floats
	for i := range many {
		series.Steps = append(series.Steps, migrate.Step(i*i)*migrate.StepUnit)
		when := int64(i)
		switch i % 7 {
		case 3:
			when = migrate.NoTime
		case 4:
			when = math.MaxInt64 - int64(i)
		case 5:
			when = math.MinInt64 + 1 + int64(i)
		}
		series.Times = append(series.Times, when)
		floats = append(floats, math.Float64frombits(uint64(i)<<50|1))
	}
	series.Values = floats
	untimed := series
	untimed.Path, untimed.Times = "g", slices.Repeat([]int64{migrate.NoTime}, many)
	for name, chunks := range map[string][]migrate.Chunk{
		"series":  {series},
		"untimed": {untimed},
		"both":    {untimed, series, untimed},
		"mixed":   {{Path: "i", Kind: migrate.KindInt, Values: migrate.Ints{math.MinInt64}}, {Path: "d", Kind: migrate.KindDatetime, Values: migrate.Datetimes{-1}}, series},
	} {
		t.Run(name, func(t *testing.T) { arrowReads(t, chunks) })
	}
}

func arrowReads(t *testing.T, chunks []migrate.Chunk) {
	b := &rows{}
	for _, c := range chunks {
		if err := b.add(c, nil, 0, c.Len()); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	to := &sink{w: &out, hash: sha256.New()}
	p := &partWriter{sink: to, keys: rowKeys{"ws/p", "R-1"}}
	var err error
	if p.w, err = newFileWriter(to, templateOf(false), &scratch{}); err == nil {
		err = p.group(b)
	}
	if err == nil {
		err = p.w.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := file.NewParquetReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int][]int64{colStep: b.steps, colTime: b.times, colInt: b.ints, colDatetime: b.datetimes, colFloat: words(b.floats)} {
		col, err := r.RowGroup(0).Column(id)
		if err != nil {
			t.Fatal(err)
		}
		got, defs := make([]int64, b.n), make([]int16, b.n)
		var total int64
		var n int
		switch col := col.(type) {
		case *file.Int64ColumnChunkReader:
			total, n, err = col.ReadBatch(int64(b.n), got, defs, nil)
		case *file.Float64ColumnChunkReader:
			read := make([]float64, b.n)
			total, n, err = col.ReadBatch(int64(b.n), read, defs, nil)
			got = words(read)
		}
		if err != nil || total != int64(b.n) || !slices.Equal(got[:n], want) {
			t.Errorf("%s: %d values in %d rows, error %v; want %d in %d", colNames[id], n, total, err, len(want), b.n)
		}
		b.fill(id, b.n)
		if !slices.Equal(defs, b.defs[id].expand(nil)) {
			t.Errorf("%s: not the nulls that were written", colNames[id])
		}
		chunk, err := r.MetaData().RowGroup(0).ColumnChunk(id)
		if err != nil {
			t.Fatal(err)
		}
		if (id != colStep && id != colTime) || len(want) == 0 {
			continue
		}
		stats, err := chunk.Statistics()
		if err != nil || stats == nil || !bytes.Equal(stats.EncodeMin(), appendInts(nil, []int64{slices.Min(want)})) ||
			!bytes.Equal(stats.EncodeMax(), appendInts(nil, []int64{slices.Max(want)})) || stats.NullCount() != int64(b.n-len(want)) {
			t.Errorf("%s: statistics %v, error %v", colNames[id], stats, err)
		}
	}
}

func words(floats []float64) (list []int64) {
	for _, f := range floats {
		list = append(list, int64(math.Float64bits(f)))
	}
	return list
}

// TestNumbersMiscounted: no row group is written whose columns have other numbers of rows than it has.
func TestNumbersMiscounted(t *testing.T) {
	for name, spoil := range map[string]func(b *rows){
		"values": func(b *rows) { b.floats = b.floats[:1] },
		"rows":   func(b *rows) { b.defs[colFloat][0].n++ },
	} {
		b := &rows{}
		steps := []migrate.Step{1, 2}
		if err := b.add(migrate.Chunk{Path: "f", Kind: migrate.KindFloatSeries, Steps: steps, Times: []int64{1, 2}, Values: migrate.Floats{1, 2}}, nil, 0, 2); err != nil {
			t.Fatal(err)
		}
		spoil(b)
		to := &sink{w: io.Discard, hash: sha256.New()}
		p := &partWriter{sink: to}
		p.w, _ = newFileWriter(to, templateOf(false), &scratch{})
		if err := p.group(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
