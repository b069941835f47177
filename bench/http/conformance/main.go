// Command conformance runs the public test suite of HTTP caches (cache-tests.fyi) around edgecache proxy, in each profile, and
// with -peers around nginx and Varnish as well. It prints how many tests each passes, and fails if edgecache does not pass
// one that is not in the list of those expected, which gives a reason for each.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/edgecache/edgecache/bench/http/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// settings are the command's flags.
type settings struct {
	program  string
	suite    string
	client   string
	expected string
	profiles string
	only     string
	peers    bool
	reasons  bool
}

func run(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.StringVar(&s.program, "edgecache", "bin/edgecache", "the edgecache `program`")
	flags.StringVar(&s.suite, "suite", "tools/cachetests/node_modules/http-cache-tests", "the suite's `folder`: the package, or a checkout after npm install")
	flags.StringVar(&s.client, "client", "tools/cachetests/client.mjs", "the `script` that runs it")
	flags.StringVar(&s.expected, "expected", "tools/cachetests/expected.txt", "the `list` of tests that edgecache does not pass")
	flags.StringVar(&s.profiles, "profiles", "rfc,safe", "edgecache's profiles, by commas; none to leave it out")
	flags.StringVar(&s.only, "id", "", "run this `test` alone and show its messages")
	flags.BoolVar(&s.peers, "peers", false, "run nginx, Varnish and no cache at all, too")
	flags.BoolVar(&s.reasons, "reasons", false, "name the tests that are expected not to pass")
	if err := flags.Parse(args); err != nil {
		return err
	}
	expected, err := readExpected(s.expected)
	if err != nil {
		return err
	}
	targets := s.targets()
	results := make([]*result, len(targets))
	errs := make([]error, len(targets))
	var all sync.WaitGroup
	for i := range targets {
		all.Go(func() { results[i], errs[i] = s.test(ctx, &targets[i]) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.report(targets, results, expected)
}

// target is a cache to be tested.
type target struct {
	name    string
	profile string // of edgecache, else ""
	start   func(ctx context.Context, origin string) (*server.Server, error)
}

func (s *settings) targets() []target {
	var targets []target
	for profile := range strings.SplitSeq(s.profiles, ",") {
		if profile == "" {
			continue
		}
		targets = append(targets, target{"edgecache " + profile, profile, func(ctx context.Context, origin string) (*server.Server, error) {
			return server.Edgecache(ctx, "edgecache", s.program, origin, server.Any, "--profile", profile)
		}})
	}
	if s.peers {
		targets = append(targets,
			target{"nginx", "", func(ctx context.Context, origin string) (*server.Server, error) {
				return server.Nginx(ctx, "nginx", origin, server.Any)
			}},
			target{"varnish", "", func(ctx context.Context, origin string) (*server.Server, error) {
				return server.Varnish(ctx, "varnish", origin, server.Any, "-p", "default_ttl=0", "-p", "default_grace=0", "-p", "default_keep=3600")
			}},
			target{"no cache", "", nil},
		)
	}
	return targets
}

// report prints the table, and edgecache's unexpected failures, which are an error.
func (s *settings) report(targets []target, results []*result, expected []expectation) error {
	table(targets, results)
	var bad error
	for i, t := range targets {
		if t.profile == "" || results[i] == nil {
			continue
		}
		unexpected, known, mended := results[i].compare(t.profile, expected)
		for _, test := range unexpected {
			fmt.Printf("%s: %s (%s): %s: %s\n", t.name, test.ID, test.Kind, test.Outcome, test.Error)
		}
		for _, e := range mended {
			fmt.Printf("%s: %s is expected not to pass, and does\n", t.name, e.id)
		}
		if s.reasons {
			for _, e := range known {
				fmt.Printf("%s: %s: %s\n", t.name, e.id, e.reason)
			}
		}
		if len(unexpected) > 0 {
			bad = errors.Join(bad, fmt.Errorf("%s: %d tests do not pass that are not in %s", t.name, len(unexpected), s.expected))
		}
	}
	return bad
}
