package neptunetest

import (
	"fmt"
	"math"
)

// Large is a project for measurements: runs with the usual sys attributes, a few parameters and float series of
// points that are made when they are asked for, a second apart and with steps from 0. The same sizes give the same content.
func Large(workspace, name string, runs, series, points int) *Project {
	p := &Project{Workspace: workspace, Name: name, Key: "L"}
	for i := 1; i <= runs; i++ {
		p.Runs = append(p.Runs, largeRun(i, series, points))
	}
	return p
}

func largeRun(i, series, points int) *Run {
	run := &Run{ID: fmt.Sprintf("L-%d", i), CustomID: fmt.Sprintf("large-run-%06d", i)}
	created := 1_700_000_000_000 + int64(i)*60_000
	add := func(path string, v Value) { run.Attributes = append(run.Attributes, Attribute{Path: path, Value: v}) }
	add("sys/name", String(fmt.Sprintf("experiment %d", i%100)))
	add("sys/owner", String("tester"))
	add("sys/creation_time", Datetime(created))
	add("sys/modification_time", Datetime(created+int64(points)*1000))
	add("sys/tags", StringSet{"large", fmt.Sprintf("group-%d", i%10)})
	add("sys/size", Int(int64(series*points)*pointSize))
	add("config/lr", Float(1/float64(i)))
	add("config/seed", Int(int64(i)))
	for k := range series {
		add(fmt.Sprintf("metrics/group_%d/value_%04d", k%8, k), GeneratedFloats{N: points, At: func(n int) Point[float64] {
			return Point[float64]{Step: float64(n), TimeMS: created + int64(n)*1000, Value: wave(i, k, n)}
		}})
	}
	return run
}

// wave falls with noise, as losses do.
func wave(i, k, n int) float64 {
	noise := float64(mix(uint64(i)<<40^uint64(k)<<32^uint64(n))>>11) / (1 << 53)
	return 1/math.Sqrt(float64(n+k+1)) + noise/16
}
