package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/edgecache/edgecache/bench/http/server"
)

// result is what client.mjs prints.
type result struct {
	Newer bool   `json:"newer"` // the suite is younger than the package
	Lost  int    `json:"lost"`  // configurations that did not reach the suite's server
	Tests []test `json:"tests"`
}

// test is one of the suite's, and how it went.
type test struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`    // required, optimal or check
	Outcome string `json:"outcome"` // pass, yes, or why not
	Error   string `json:"error"`
}

// test runs the suite around a cache. A run that lost a configuration, as happens where a connection that was kept
// open ends under it, says nothing of the cache: it is repeated once.
func (s *settings) test(ctx context.Context, t *target) (*result, error) {
	r, err := s.once(ctx, t)
	if err == nil && r.Lost > 0 {
		fmt.Fprintf(os.Stderr, "%s: %d configurations were lost: once more\n", t.name, r.Lost)
		r, err = s.once(ctx, t)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	return r, nil
}

// once starts the suite's server and the cache, and runs the suite's client.
func (s *settings) once(ctx context.Context, t *target) (r *result, err error) {
	origin, err := s.origin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, origin.Stop()) }()
	cache := origin
	if t.start != nil {
		if cache, err = t.start(ctx, origin.URL()); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, cache.Stop()) }()
	}
	if r, err = s.ask(ctx, cache.URL()); err != nil {
		return nil, errors.Join(err, errors.New(cache.Output()))
	}
	return r, nil
}

// origin starts the suite's server. It takes its settings from npm's environment.
func (s *settings) origin(ctx context.Context) (*server.Server, error) {
	suite, err := filepath.Abs(s.suite)
	if err != nil {
		return nil, err
	}
	script := filepath.Join(suite, "test-engine/server/server.mjs")
	if _, err := os.Stat(script); err != nil {
		script = filepath.Join(suite, "server/server.mjs")
	}
	return server.Start(ctx, server.Spec{
		Name: "origin", Program: "sh", Core: server.Any,
		Args: []string{"-c", `npm_config_protocol=http npm_config_port={port} npm_config_pidfile={dir}/pid exec node "$0"`, script},
	})
}

// ask runs the suite's client.
func (s *settings) ask(ctx context.Context, url string) (*result, error) {
	args := []string{"--no-warnings", s.client, s.suite, url}
	if s.only != "" {
		args = append(args, s.only)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", s.client, err, said.String())
	}
	if s.only != "" {
		fmt.Fprint(os.Stderr, said.String())
	}
	r := new(result)
	if err := json.Unmarshal(out, r); err != nil {
		return nil, fmt.Errorf("%s: %w", s.client, err)
	}
	return r, nil
}
