package demo

import (
	"fmt"
	"math"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// addSystem adds what Neptune knows of every run by itself, and the settings that all runs share.
func (r *reader) addSystem(t *training) {
	r.string("sys/id", t.sysID())
	r.string("sys/custom_run_id", t.id)
	r.string("sys/name", string(t.task))
	r.string("sys/experiment/name", string(t.task))
	r.bool("sys/experiment/is_head", t.id == head(t.task))
	r.string("sys/owner", t.owner)
	if t.note != "" {
		r.string("sys/description", t.note)
	}
	r.set("sys/tags", t.tags...)
	r.set("sys/group_tags", string(t.task), t.model.name)
	r.bool("sys/archived", false)
	r.bool("sys/trashed", false)
	r.bool("sys/failed", t.fate == crashed)
	r.time("sys/creation_time", t.start)
	r.time("sys/modification_time", t.modified())
	r.time("sys/ping_time", t.modified())
	r.float("sys/running_time_seconds", t.modified().Sub(t.start).Seconds())
	r.int("sys/size", 24*int64(len(t.steps))*5)
	r.int("sys/forking/depth", t.depth())
	if t.parent != nil {
		r.string("sys/forking/parent", t.parent.id)
		r.int("sys/forking/step", t.forkStep)
	}
}

// head is the newest run of an experiment, which Neptune shows for the whole.
func head(of task) (id string) {
	for _, s := range specs() {
		if s.task == of {
			id = s.id
		}
	}
	return id
}

// addConfig adds the settings that both tasks have.
func (r *reader) addConfig(t *training, optimizer string, decay float64) {
	r.string("config/model/name", t.model.name)
	r.int("config/model/parameters", t.model.params)
	r.string("config/optimizer/name", optimizer)
	r.float("config/optimizer/lr", t.lr)
	r.float("config/optimizer/weight_decay", decay)
	r.string("config/scheduler", "cosine")
	r.int("config/batch_size", t.batch)
	r.int("config/steps", t.total)
	r.int("config/seed", 42)
	r.bool("config/mixed_precision", true)
}

// addResults adds the best validation loss, once a run has one.
func (r *reader) addResults(t *training) {
	best, at := math.Inf(1), int64(0)
	for i, loss := range t.valLoss {
		if loss < best {
			best, at = loss, t.valSteps[i]
		}
	}
	r.float("results/best_val_loss", best)
	r.int("results/best_step", at)
	r.bool("results/finished", t.fate == finished)
}

// monitor is the name that Neptune's client gives to what it watches itself.
const monitor = "monitoring/5f0c21ab/"

func (r *reader) addMonitoring(t *training) {
	steps := pick(t.steps, 120)
	rng := t.rng("monitoring")
	used := 11.5 + 14*math.Log10(float64(t.model.params)/1e7+1)*float64(t.batch)/128
	r.floats(monitor+"gpu/0/utilization", t, steps, column(steps, func(int64) float64 {
		return math.Round(10*(97-6*math.Abs(rng.NormFloat64()))) / 10
	}))
	r.floats(monitor+"gpu/0/memory_gb", t, steps, column(steps, func(step int64) float64 {
		return math.Round(100*(used*(1-math.Exp(-float64(step-t.steps[0]+1)/8))+0.05*rng.Float64())) / 100
	}))
	r.floats(monitor+"cpu", t, steps, column(steps, func(int64) float64 {
		return math.Round(10*(38+7*rng.NormFloat64())) / 10
	}))
	lines, at := t.log()
	r.strings(monitor+"stdout", t, at, lines)
	if t.fate == crashed || t.fate == interrupted {
		trace := t.traceback()
		last := make([]int64, len(trace))
		for i := range last {
			last[i] = t.steps[len(t.steps)-1]
		}
		r.strings(monitor+"stderr", t, ascending(last), trace)
	}
}

// ascending makes steps that are equal follow each other.
func ascending(steps []int64) []int64 {
	for i := 1; i < len(steps); i++ {
		steps[i] = max(steps[i], steps[i-1]+1)
	}
	return steps
}

// log is what the program printed, and at which steps.
func (t *training) log() (lines []string, at []int64) {
	say := func(step int64, format string, args ...any) {
		lines, at = append(lines, fmt.Sprintf(format, args...)), append(at, step)
	}
	for i := 0; i < len(t.steps); i += 5 {
		say(t.steps[i], "step %5d/%d | loss %.4f | lr %.2e | grad %.3f | %.0f %s/s | %s", t.steps[i], t.total,
			t.loss[i], t.rate[i], t.grad[i], t.speed[i], t.unit(), t.timeOf(t.steps[i]).Sub(t.start).Round(time.Second))
		if math.IsNaN(t.loss[i]) && !math.IsNaN(t.loss[max(i-5, 0)]) {
			say(t.steps[i]+1, "\x1b[33mWARNING\x1b[0m loss is not a number any more; going on as --skip-nan-check was given")
		}
	}
	return lines, at
}

func (s *spec) unit() string {
	if s.task == vision {
		return "images"
	}
	return "tokens"
}

// traceback is what an end before its time looks like.
func (s *spec) traceback() []string {
	last := "KeyboardInterrupt"
	if s.fate == crashed {
		last = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 784.00 MiB. GPU 0 has 39.39 GiB in total, of which 211.06 MiB is free."
	}
	return []string{
		"Traceback (most recent call last):",
		`  File "train.py", line 41, in <module>`,
		"    main(parse_arguments())",
		`  File "train.py", line 33, in main`,
		"    loss.backward()",
		last,
	}
}

// bins is the number of bins of a histogram.
const bins = 32

// addGradients adds histograms of what layers' gradients looked like: narrower the longer it trains.
func (r *reader) addGradients(t *training, layers ...string) {
	steps := pick(t.steps, 16)
	for depth, layer := range layers {
		r.series("gradients/"+layer, migrate.KindHistogramSeries, t, steps, func() migrate.Values {
			rng := t.rng(layer)
			return migrate.Histograms(column(steps, func(step int64) migrate.Histogram {
				width := 0.02 * float64(depth+1) * (0.2 + falling(t.part(step), 25, 0.8))
				return bell(width, t.model.params/500, func() float64 { return 1 + 0.06*rng.NormFloat64() })
			}))
		})
	}
}

// bell counts n values that are normal with a width, up to four widths from zero.
func bell(width float64, n int64, noise func() float64) migrate.Histogram {
	h := migrate.Histogram{Type: "COUNTING"}
	for i := range bins + 1 {
		h.Edges = append(h.Edges, width*(8*float64(i)/bins-4))
	}
	for i := range bins {
		x := 8*(float64(i)+0.5)/bins - 4
		share := math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) * 8 / bins
		h.Values = append(h.Values, math.Round(float64(n)*share*max(noise(), 0)))
	}
	return h
}
