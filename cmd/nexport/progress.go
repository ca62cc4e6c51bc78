package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// lineEvery is the time between two lines of progress where there is no terminal.
const lineEvery = 10 * time.Second

// showProgress shows t until stop is called: a bar on a terminal, else a line now and then.
func showProgress(term *terminal, t *tally, verb string) (stop func()) {
	if term.still {
		return func() {}
	}
	if term.tty {
		return showBar(term, t, verb)
	}
	return showLines(term, t, verb)
}

func showBar(term *terminal, t *tally, verb string) (stop func()) {
	p := mpb.New(mpb.WithOutput(term.file), mpb.WithWidth(24), mpb.WithRefreshRate(200*time.Millisecond))
	bar := p.New(max(t.runs.sum(), 1), mpb.BarStyle(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			s := t.now()
			return fmt.Sprintf("%s %s/%s %s ", verb, count(s.ended), count(s.runs.sum()), s.runs.nouns())
		})),
		mpb.AppendDecorators(decor.Any(func(d decor.Statistics) string { return " " + t.now().details() })),
	)
	term.through(p)
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		every(200*time.Millisecond, done, func() { bar.SetCurrent(min(t.now().ended, t.runs.sum()-1)) })
	}()
	return func() {
		close(done)
		<-gone
		term.through(term.file)
		bar.Abort(true) // the report takes its place
		p.Wait()
	}
}

func showLines(term *terminal, t *tally, verb string) (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		every(lineEvery, done, func() {
			s := t.now()
			fmt.Fprintf(term, "%s: %s, %s\n", verb, s.advance(), s.details())
		})
	}()
	return func() {
		close(done)
		<-gone
	}
}

// every calls f at intervals until done is closed.
func every(interval time.Duration, done <-chan struct{}, f func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f()
		case <-done:
			return
		}
	}
}

// advance gives "5 of 12 runs"; of several scopes what ended is counted together: "62 of 68 (55 runs and 13 models)".
func (s state) advance() string {
	all := s.runs.sum()
	for _, n := range s.runs {
		if n == all {
			return count(s.ended) + " of " + s.runs.String()
		}
	}
	return fmt.Sprintf("%s of %s (%s)", count(s.ended), count(all), s.runs)
}

// details gives counts, rate and time left.
func (s state) details() string {
	parts := []string{count(s.sum.Points) + " points"}
	if r := s.rate(s.sum.Points); r > 0 {
		parts[0] += " (" + count(r) + "/s)"
	}
	if s.sum.Files > 0 {
		parts = append(parts, plural(s.sum.Files, "file")+" "+size(s.sum.Bytes))
	}
	if s.failed > 0 {
		parts = append(parts, count(s.failed)+" failed")
	}
	if s.left > 0 {
		parts = append(parts, "about "+span(s.left)+" left")
	}
	return strings.Join(parts, ", ")
}
