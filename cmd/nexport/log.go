package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// terminal is standard error. While bars are drawn, what is written goes above them.
type terminal struct {
	file  *os.File
	tty   bool
	still bool // shows no progress

	mu sync.Mutex
	w  io.Writer
}

func newTerminal(f *os.File) *terminal {
	return &terminal{file: f, tty: term.IsTerminal(int(f.Fd())), w: f}
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(p)
}

// through sends what is written from now on through w.
func (t *terminal) through(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.w = w
}

// newLogger logs to the terminal, and to the log file if there is one, which closeLog closes.
func (c *cli) newLogger(t *terminal) (log *slog.Logger, closeLog func(), err error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, nil, usage(err)
	}
	if c.Verbose {
		level = min(level, slog.LevelInfo)
	}
	shown := tint.NewTextHandler(t, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !t.tty || os.Getenv("NO_COLOR") != ""})
	if c.LogFile == "" {
		return slog.New(shown), func() {}, nil
	}
	f, err := os.OpenFile(c.LogFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, usage(fmt.Errorf("--log-file: %w", err))
	}
	kept := slog.NewTextHandler(f, &slog.HandlerOptions{Level: min(level, slog.LevelInfo)})
	return slog.New(both{shown, kept}), func() { f.Close() }, nil
}

// both passes records to two handlers.
type both [2]slog.Handler

func (b both) Enabled(ctx context.Context, level slog.Level) bool {
	return b[0].Enabled(ctx, level) || b[1].Enabled(ctx, level)
}

func (b both) Handle(ctx context.Context, r slog.Record) error {
	var errs []error
	for _, h := range b {
		if h.Enabled(ctx, r.Level) {
			errs = append(errs, h.Handle(ctx, r.Clone()))
		}
	}
	return errors.Join(errs...)
}

func (b both) WithAttrs(attrs []slog.Attr) slog.Handler {
	return both{b[0].WithAttrs(attrs), b[1].WithAttrs(attrs)}
}

func (b both) WithGroup(name string) slog.Handler {
	return both{b[0].WithGroup(name), b[1].WithGroup(name)}
}
