package demo

import (
	"math"
	"math/rand/v2"
	"time"
)

// training is what a run measured: one entry in each column for each of steps.
type training struct {
	*spec
	steps []int64
	loss  []float64
	score []float64 // accuracy of a classifier
	rate  []float64 // learning rate
	grad  []float64 // norm of the gradient
	speed []float64 // images or tokens a second

	valSteps []int64
	valLoss  []float64
	valScore []float64
}

// valEvery is the number of points between two validations.
const valEvery = 10

// divergesAt is the part of the planned steps after which the loss of a diverging run grows.
const divergesAt = 0.18

func train(s *spec) *training {
	t := &training{spec: s}
	noise := &smooth{rng: s.rng("training")}
	first := int64(0)
	if s.parent != nil {
		first = s.forkStep + s.every
	}
	for step := first; step < s.end(); step += s.every {
		t.measure(step, noise)
		if len(t.steps)%valEvery == 0 {
			t.validate(step, noise)
		}
	}
	return t
}

// smooth gives noise whose neighbours are alike, as those of a training run are.
type smooth struct {
	rng  *rand.Rand
	last float64
}

func (n *smooth) next() float64 {
	n.last = 0.55*n.last + 0.83*n.rng.NormFloat64()
	return n.last
}

// initial is the loss of guessing: the log of the number of classes, or of words.
func (s *spec) initial() float64 {
	if s.task == vision {
		return math.Log(float64(len(classes)))
	}
	return math.Log(32_000)
}

// part is how far training is at a step, from 0 to 1; forks go on beyond the length of their origin.
func (s *spec) part(step int64) float64 {
	root := s
	for root.parent != nil {
		root = root.parent
	}
	return float64(step) / float64(root.total)
}

// falling goes from 1 towards 0 as losses do: fast at first, then by a power of the time.
func falling(x, speed, power float64) float64 { return math.Pow(1+speed*x, -power) }

// expected is the loss at a step without noise.
func (s *spec) expected(step int64) float64 {
	floor := s.floor()
	if s.parent != nil { // what it gains over its parent comes bit by bit
		x := float64(step-s.forkStep) / float64(s.total-s.forkStep)
		floor += (s.parent.floor() - floor) * math.Exp(-4*x)
	}
	x := s.part(step)
	return floor*(1-0.06*x*x*x) + (s.initial()-floor)*falling(x, 55, 0.85)
}

func (t *training) measure(step int64, noise *smooth) {
	x := t.part(step)
	wobble := 0.035
	if t.task == language {
		wobble = 0.008
	}
	expected := t.expected(step)
	t.steps = append(t.steps, step)
	t.loss = append(t.loss, t.broken(x, expected*(1+wobble*noise.next())))
	t.score = append(t.score, accuracy(t.last(t.loss), 0.02*noise.rng.NormFloat64()))
	t.rate = append(t.rate, t.learningRate(step))
	grad := (0.4 + 3.4*falling(x, 20, 0.9)) * math.Exp(0.18*noise.rng.NormFloat64())
	if noise.rng.Float64() < 0.012 { // now and then a batch is odd
		grad *= 2.5
	}
	t.grad = append(t.grad, t.broken(x, grad))
	items := float64(t.batch) / t.perStep.Seconds()
	if t.task == language {
		items *= 512
	}
	t.speed = append(t.speed, items*(1-0.03*math.Abs(noise.rng.NormFloat64())))
}

func (t *training) last(column []float64) float64 { return column[len(column)-1] }

// broken is v, unless training diverges: then it grows until it is no number any more.
func (t *training) broken(x, v float64) float64 {
	if t.fate != diverged || x < divergesAt {
		return v
	}
	v *= math.Exp((x - divergesAt) * 90)
	if v > 300 {
		return math.NaN()
	}
	return v
}

// accuracy is that of a classifier with a loss.
func accuracy(loss, noise float64) float64 {
	if math.IsNaN(loss) {
		return 1 / float64(len(classes)) // it always says the same
	}
	sure := math.Exp(-0.72 * math.Pow(loss, 1.39)) // a tenth where the loss is that of guessing
	return min(max(sure+noise*(1-sure), 0.04), 1)
}

// learningRate rises for the first twentieth and then follows a cosine; forks go to zero in a line.
func (s *spec) learningRate(step int64) float64 {
	if s.parent != nil {
		return s.parent.learningRate(s.forkStep) * (1 - float64(step-s.forkStep)/float64(s.total-s.forkStep))
	}
	warm := float64(s.total) / 20
	if float64(step) < warm {
		return s.lr * (float64(step) + 1) / (warm + 1)
	}
	x := (float64(step) - warm) / (float64(s.total) - warm)
	return s.lr * (0.02 + 0.98*(1+math.Cos(math.Pi*x))/2)
}

// validate measures on data that was not trained on: less noise, and overfitting towards the end.
func (t *training) validate(step int64, noise *smooth) {
	x := t.part(step)
	over := 0.05 + 0.09*x*x
	if t.task == vision && len(t.augment) == 0 {
		over += 0.5 * x * x
	}
	if t.task == language {
		over *= 0.15
	}
	loss := t.broken(x, t.expected(step)*(1+over)*(1+0.008*noise.rng.NormFloat64()))
	t.valSteps = append(t.valSteps, step)
	t.valLoss = append(t.valLoss, loss)
	t.valScore = append(t.valScore, accuracy(loss, 0.006*noise.rng.NormFloat64()))
}

// timeOf is when a step ended.
func (s *spec) timeOf(step int64) time.Time {
	return s.start.Add(12*time.Second + time.Duration(step-s.forkStep)*s.perStep)
}

// pick gives n of steps, evenly from the first to the last.
func pick(steps []int64, n int) (some []int64) {
	n = min(n, len(steps))
	for i := range n {
		some = append(some, steps[i*(len(steps)-1)/max(n-1, 1)])
	}
	return some
}

// column gives f of each step.
func column[T any](steps []int64, f func(step int64) T) []T {
	values := make([]T, len(steps))
	for i, step := range steps {
		values[i] = f(step)
	}
	return values
}
