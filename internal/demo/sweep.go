package demo

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	migrate "github.com/nexport-go/migrate"
)

// task is what a run trains; it is its sys/name, too.
type task string

const (
	vision   task = "shape-classifier"
	language task = "story-model"
)

// fate is how a run ends.
type fate int

const (
	finished    fate = iota
	diverged         // its loss becomes NaN, and it goes on to the end
	crashed          // out of memory, soon after the start
	interrupted      // by its user
)

// spec says what one run is; everything else about it follows.
type spec struct {
	number     int // of its sys/id
	id         string
	task       task
	model      model
	lr         float64
	batch      int64
	augment    []string
	owner      string
	note       string
	tags       []string
	fate       fate
	total      int64 // steps planned
	every      int64 // steps from one point to the next
	parent     *spec
	forkStep   int64 // the last step taken over from parent
	start      time.Time
	perStep    time.Duration
	difference float64 // of the final loss, in parts of it
}

// model is a network, and how well it can do.
type model struct {
	name    string
	params  int64
	floor   float64 // loss that the best of its runs comes near to
	bestLR  float64
	perStep time.Duration
}

var visionModels = []model{
	{"resnet18", 11_181_642, 0.34, 1e-3, 310 * time.Millisecond},
	{"resnet50", 23_528_522, 0.27, 1e-3, 640 * time.Millisecond},
	{"convnext-tiny", 27_827_818, 0.19, 1e-3, 720 * time.Millisecond},
	{"vit-small", 21_669_514, 0.25, 3e-4, 660 * time.Millisecond},
}

var languageModels = []model{
	{"story-12m", 12_344_832, 3.62, 1e-3, 240 * time.Millisecond},
	{"story-35m", 35_158_272, 3.21, 6e-4, 520 * time.Millisecond},
	{"story-110m", 110_297_088, 2.93, 3e-4, 1300 * time.Millisecond},
}

const (
	visionSteps   = 4000
	languageSteps = 6000
	pointEvery    = 10
	forkedAt      = 3600
)

// epoch is when the first run begins.
var epoch = time.Date(2025, time.March, 3, 8, 12, 0, 0, time.UTC)

var owners = []string{"amelia", "jun", "tomasz"}

// specs gives all runs in the order they were started.
func specs() []*spec {
	all := append(visionSweep(), languageSweep()...)
	start := epoch
	for i, s := range all {
		s.number, s.every, s.start = i+1, pointEvery, start
		if s.owner == "" {
			s.owner = owners[i%len(owners)]
		}
		s.perStep = s.model.perStep
		start = start.Add(time.Duration(67+13*(i%5)) * time.Minute)
	}
	return all
}

func visionSweep() (all []*spec) {
	for _, m := range visionModels {
		for _, lr := range []float64{3e-4, 1e-3, 3e-3} {
			all = append(all, newVision(m, lr, ""))
		}
	}
	best := all[7]
	best.tags = append(best.tags, "best")
	best.note = "Best of the sweep. Flips and crops are enough; stronger augmentation did not help, see the two runs without and with mixup."
	plain, mixup := newVision(best.model, 1e-3, "-no-augment"), newVision(best.model, 1e-3, "-mixup")
	plain.augment, plain.difference = nil, 0.32
	mixup.augment, mixup.difference = append(mixup.augment, "mixup"), 0.07
	hot := newVision(visionModels[3], 3e-2, "")
	hot.fate, hot.note = diverged, "Learning rate far too high, kept to show where training breaks."
	big := newVision(visionModels[1], 1e-3, "-batch1024")
	big.fate, big.batch, big.note = crashed, 1024, "Does not fit on one GPU."
	return append(all, plain, mixup, hot, big)
}

func newVision(m model, lr float64, suffix string) *spec {
	return &spec{
		id: m.name + "-lr" + number(lr) + suffix, task: vision, model: m, lr: lr, batch: 128, total: visionSteps,
		augment: []string{"crop", "flip"}, tags: []string{"sweep-1", family(m)},
	}
}

func languageSweep() (all []*spec) {
	for _, m := range languageModels {
		for _, lr := range []float64{3e-4, 6e-4, 1e-3} {
			all = append(all, newLanguage(m, lr, ""))
		}
	}
	base := all[4]
	base.note = "Base for the annealed runs."
	anneal := newLanguage(base.model, base.lr, "-annealed")
	anneal.fork(base, forkedAt, 5200)
	anneal.note = "Forked at step 3,600: the learning rate goes to zero, on cleaner text."
	tales := newLanguage(base.model, base.lr, "-annealed-tales")
	tales.fork(anneal, 5000, 6400)
	tales.note = "Forked once more: fairy tales only."
	stopped := newLanguage(languageModels[2], 1e-4, "")
	stopped.fate, stopped.note = interrupted, "Stopped by hand: too slow to be worth it."
	return append(all, anneal, tales, stopped)
}

func newLanguage(m model, lr float64, suffix string) *spec {
	return &spec{
		id: m.name + "-lr" + number(lr) + suffix, task: language, model: m, lr: lr, batch: 64, total: languageSteps,
		tags: []string{"sweep-2", family(m)},
	}
}

// fork makes s go on from a step of parent.
func (s *spec) fork(parent *spec, at, total int64) {
	s.parent, s.forkStep, s.total = parent, at, total
	s.owner = owners[0]
	s.tags = append(s.tags, "fork")
}

// depth is the number of forks between s and the first of its line.
func (s *spec) depth() (n int64) {
	for p := s.parent; p != nil; p = p.parent {
		n++
	}
	return n
}

func family(m model) string {
	name, _, _ := strings.Cut(m.name, "-")
	return strings.TrimRight(name, "0123456789")
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// end gives the step after the last one that s reaches.
func (s *spec) end() int64 {
	switch s.fate {
	case crashed:
		return 240
	case interrupted:
		return s.total * 61 / 100 / s.every * s.every
	default:
		return s.total
	}
}

// floor is the loss that s comes near to: models have a learning rate that suits them best.
func (s *spec) floor() float64 {
	off := math.Log10(s.lr / s.model.bestLR)
	return s.model.floor * (1 + 0.22*off*off + s.difference - 0.035*float64(s.depth()))
}

func (s *spec) sysID() string { return fmt.Sprintf("DEMO-%d", s.number) }

func (s *spec) info() migrate.RunInfo {
	info := migrate.RunInfo{
		RunRef: migrate.RunRef{Project: Project, ID: s.id}, SysID: s.sysID(), Name: string(s.task),
		Created: s.start, Modified: s.modified(), State: migrate.Complete,
	}
	if s.parent != nil {
		info.Parent = s.parent.id
	}
	return info
}

// modified is when the last value arrived.
func (s *spec) modified() time.Time {
	return s.start.Add(time.Duration(s.end()-s.forkStep)*s.perStep + 41*time.Second).Truncate(time.Millisecond)
}

// rng gives the generator for one thing of a run.
func (s *spec) rng(what string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(s.id + "\x00" + what))
	return rand.New(rand.NewPCG(h.Sum64(), 20250303))
}
