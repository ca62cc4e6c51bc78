package demo

import (
	"fmt"
	"image"
	"math/rand/v2"
	"strings"
	"time"
)

// addVision adds what a run of the image classifier has.
func (r *reader) addVision(t *training) {
	r.addConfig(t, "adamw", 0.05)
	r.string("config/data/name", "shapes-10")
	r.int("config/data/images", 50_000)
	r.int("config/data/image_size", 64)
	r.set("config/data/classes", classNames()...)
	r.time("config/data/created", time.Date(2025, time.February, 17, 9, 30, 0, 0, time.UTC))
	r.set("config/augment", t.augment...)
	r.addResults(t)
	if t.fate == finished {
		r.float("results/val_accuracy", t.last(t.valScore))
	}
	r.addVisionFiles(t)
	r.floats("metrics/train/loss", t, t.steps, t.loss)
	r.floats("metrics/train/accuracy", t, t.steps, t.score)
	r.floats("metrics/val/loss", t, t.valSteps, t.valLoss)
	r.floats("metrics/val/accuracy", t, t.valSteps, t.valScore)
	r.addOptimizer(t)
	r.floats("throughput/images_per_second", t, t.steps, t.speed)
	r.addMonitoring(t)
	r.addGradients(t, "stem", "body", "head")
	r.images("samples/predictions", t, pick(t.valSteps, 6), func(step int64) ([]byte, error) {
		return encode(t.predictions(step))
	})
}

// addOptimizer adds the curves of the optimizer.
func (r *reader) addOptimizer(t *training) {
	r.floats("optimizer/lr", t, t.steps, t.rate)
	r.floats("optimizer/grad_norm", t, t.steps, t.grad)
}

func (r *reader) addVisionFiles(t *training) {
	r.text("artifacts/config", "config.yaml", t.yaml())
	r.text("artifacts/requirements", "requirements.txt", requirements)
	r.text("source_code/train.py", "train.py", trainingScript)
	if t.fate == crashed {
		return
	}
	r.file("artifacts/confusion_matrix", "confusion_matrix.png", func() ([]byte, error) {
		return encode(drawMatrix(t.confusion()))
	})
	r.file("artifacts/predictions", "predictions.csv", func() ([]byte, error) { return []byte(t.table()), nil })
}

// guess is one classified image.
type guess struct {
	label, predicted int
	sure             float64
}

// guess classifies an image of a class, right as often as score says. Classes that look alike are
// mistaken for each other.
func (t *training) guess(rng *rand.Rand, label int, score float64) guess {
	g := guess{label, label, 0.5 + 0.5*score*rng.Float64()}
	if rng.Float64() > score {
		g.predicted, g.sure = classes[label].alike, 0.3+0.4*rng.Float64()
		if rng.Float64() < 0.35 {
			g.predicted = rng.IntN(len(classes))
		}
	}
	return g
}

// confusion counts the guesses of the last validation: rows are the labels.
func (t *training) confusion() [][]int {
	rng := t.rng("confusion")
	counts := make([][]int, len(classes))
	for label := range counts {
		counts[label] = make([]int, len(classes))
		for range 100 {
			counts[label][t.guess(rng, label, t.last(t.valScore)).predicted]++
		}
	}
	return counts
}

func (t *training) table() string {
	var b strings.Builder
	rng := t.rng("table")
	b.WriteString("image,label,predicted,confidence\n")
	for i := range 200 {
		g := t.guess(rng, rng.IntN(len(classes)), t.last(t.valScore))
		fmt.Fprintf(&b, "val/%05d.png,%s,%s,%.4f\n", i, classes[g.label].name, classes[g.predicted].name, g.sure)
	}
	return b.String()
}

// predictions draws images of the validation with what the network says at a step. They are the same
// at every step.
func (t *training) predictions(step int64) image.Image {
	score := 0.1
	for i, s := range t.valSteps {
		if s <= step {
			score = t.valScore[i]
		}
	}
	const columns, rows = 6, 3
	tiles := rand.New(rand.NewPCG(7, 7))
	guesses := make([]guess, columns*rows)
	for i := range guesses {
		guesses[i] = t.guess(t.rng(fmt.Sprint("guess ", i, step)), i%len(classes), score)
	}
	return drawTiles(columns, guesses, tiles)
}
