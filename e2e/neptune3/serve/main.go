// Serve serves worlds (their form is told at neptunetest.World) as a Neptune 3.x server, so that clients can be tried by hand:
//
//	go run ./e2e/neptune3/serve [-address 127.0.0.1:8080] [-points 10] [-provider azure] world.json ...
//
// It prints the API token, then what it complains about, and ends with Ctrl-C.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/nexport-go/migrate/neptune/neptunetest"
)

func main() {
	log.SetFlags(0)
	opts := neptunetest.Options{Complain: func(complaint string) { log.Println(complaint) }}
	flag.StringVar(&opts.Address, "address", "", "to listen on; empty: a free port of 127.0.0.1")
	flag.StringVar(&opts.Provider, "provider", "gcp", "of the storage: gcp, aws or azure")
	flag.IntVar(&opts.PagePoints, "points", 0, "most points of a page of string, histogram and file series; 0: 10,000")
	flag.DurationVar(&opts.TokenLife, "token-life", 0, "of access tokens; 0: a day")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, opts, flag.Args()); err != nil {
		log.Fatalf("serve: %v", err)
	}
}

func serve(ctx context.Context, opts neptunetest.Options, worlds []string) error {
	for _, path := range worlds {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		project, err := neptunetest.World{}.ReadWorld(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		opts.Projects = append(opts.Projects, project)
	}
	server, err := neptunetest.Start(opts)
	if err != nil {
		return err
	}
	defer server.Close()
	fmt.Println(server.Token())
	<-ctx.Done()
	return nil
}
