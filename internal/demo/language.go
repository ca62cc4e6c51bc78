package demo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// addLanguage adds what a run of the language model has.
func (r *reader) addLanguage(t *training) {
	r.addConfig(t, "adamw", 0.1)
	r.string("config/data/name", "small-stories")
	r.int("config/data/tokens", 412_880_128)
	r.string("config/tokenizer", "bpe-32k")
	r.int("config/context_length", 512)
	r.time("config/data/created", time.Date(2025, time.February, 24, 16, 5, 0, 0, time.UTC))
	r.set("config/data/sources", "fables", "letters", "tales")
	r.addResults(t)
	r.float("results/val_perplexity", math.Exp(t.last(t.valLoss)))
	r.text("artifacts/config", "config.yaml", t.yaml())
	r.text("artifacts/requirements", "requirements.txt", requirements)
	r.text("source_code/train.py", "train.py", trainingScript)
	r.addLanguageCurves(t)
	r.addMonitoring(t)
	r.addGradients(t, "embedding", "blocks", "head")
	steps := pick(t.valSteps, 8)
	r.strings("samples/text", t, steps, column(steps, t.sample))
	r.images("samples/attention", t, pick(t.valSteps, 5), func(step int64) ([]byte, error) {
		return encode(drawAttention(40, 1-falling(t.part(step), 12, 1), rand.New(rand.NewPCG(3, 3))))
	})
}

func (r *reader) addLanguageCurves(t *training) {
	perplexity := make([]float64, len(t.valLoss))
	tokens := make([]float64, len(t.steps))
	for i, loss := range t.valLoss {
		perplexity[i] = math.Exp(loss)
	}
	for i, step := range t.steps {
		tokens[i] = float64((step + 1) * t.batch * 512)
	}
	r.floats("metrics/train/loss", t, t.steps, t.loss)
	r.floats("metrics/val/loss", t, t.valSteps, t.valLoss)
	r.floats("metrics/val/perplexity", t, t.valSteps, perplexity)
	r.addOptimizer(t)
	r.floats("throughput/tokens_per_second", t, t.steps, t.speed)
	r.floats("throughput/tokens_seen", t, t.steps, tokens)
}

// stories are what the model would write if it were perfect.
var stories = []string{
	"Once there was a fox who kept a lamp in the window, so that the night would not get lost.",
	"The miller's daughter counted the stars and found that one of them was missing.",
	"\"Come in,\" said the old house, and the rain took off its hat.",
	"Every morning the ferryman asked the river how it had slept.",
	"The smallest bell in the tower rang first, because nobody had told it to wait.",
	"She planted a button in the garden, and in spring there was a coat.",
	"The hare ran so fast that he met himself coming back, and they shared an apple.",
	"At the end of the street lived a baker whose bread remembered the field.",
}

// sample is the story that the model writes at a step: the less it has learned the more letters are
// wrong.
func (t *training) sample(step int64) string {
	rng := t.rng(fmt.Sprint("sample ", step))
	story := stories[rng.IntN(len(stories))]
	errors := 0.9*falling(t.part(step), 60, 1.1) + 0.002*t.model.floor
	var b strings.Builder
	for _, letter := range story {
		if rng.Float64() < errors {
			letter = rune("etaoin shrdlu"[rng.IntN(13)])
		}
		b.WriteRune(letter)
	}
	return b.String()
}
