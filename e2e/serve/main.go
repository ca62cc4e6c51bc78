// Serve serves worlds (their form is told at neptunetest.World) as a Neptune server, so that clients can be tried by hand:
//
//	go run ./e2e/serve [-generation 2] [-address 127.0.0.1:8080] [-points 10] [-provider azure] [-redirect] world.json ...
//
// The Python client of 2.x wants OAUTHLIB_INSECURE_TRANSPORT=1 for it, as it has no TLS. It prints the API token, then what it
// complains about, and ends with Ctrl-C.
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
	flag.IntVar(&opts.Generation, "generation", 3, "of Neptune: 2 or 3")
	flag.BoolVar(&opts.Redirect, "redirect", false, "2.x: send clients to another host for files")
	flag.StringVar(&opts.Provider, "provider", "gcp", "3.x: of the storage: gcp, aws or azure")
	flag.IntVar(&opts.PagePoints, "points", 0, "3.x: most points of a page of string, histogram and file series; 0: 10,000")
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
