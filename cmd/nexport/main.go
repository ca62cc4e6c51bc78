// Command nexport exports Neptune experiments into archives, loads these into MLflow, and shows what they hold.
// Run it with --help; the README has the first steps, docs/cli-json.md the form of --json.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	migrate "github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

// heapFloor is memory that is never touched, and so costs none. The garbage collector counts it, and
// lets that much more pile up before it runs: chunks live so shortly that it would run all the time.
const heapFloor = 32 << 20

// memoryLimit is where the garbage collector begins to work harder, unless GOMEMLIMIT says otherwise: with runs of
// very many attributes the process would grow to twice of what it needs.
const memoryLimit = 192 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once
	var c cli
	k := kong.Parse(&c, kong.Name("nexport"),
		kong.Description("Export Neptune experiments into archives, as the Python tool neptune-exporter wrote them, and load archives into MLflow."),
		vars(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)))
	term := newTerminal(os.Stderr)
	term.still = c.NoProgress
	log, closeLog, err := c.newLogger(term)
	k.FatalIfErrorf(err)
	err = k.Run(&stdio{out: os.Stdout, term: term}, log)
	closeLog()
	k.FatalIfErrorf(exitCoded(ctx, err))
}

// vars are what flags' texts refer to.
func vars() kong.Vars {
	return kong.Vars{
		"version":    version(),
		"jobs":       strconv.Itoa(migrate.DefaultConcurrency),
		"multiplier": convert.DefaultMultiplier.String(),
	}
}

// stdio is where a command writes: data to out, everything else to term.
type stdio struct {
	out  io.Writer
	term *terminal
}
