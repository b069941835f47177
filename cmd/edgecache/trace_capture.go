package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/observers/capture"
)

// captureFlags are those of "trace capture".
type captureFlags struct {
	target
	path     string
	duration time.Duration
	ops      string
	maxBytes int64
}

func (a *app) traceCaptureCommand() *cobra.Command {
	defaults := config.NewRun()
	f := &captureFlags{target: target{admin: defaults.Admin}, ops: config.CaptureReads}
	cmd := &cobra.Command{
		Use:   "capture",
		Short: "Record what a running cache is asked for as a trace",
		Long: `Record what a running cache is asked for, over its admin address, as a trace on this machine: oracleGeneral compressed
with zstd, which libCacheSim reads too. It ends when the time is up, at SIGINT, or when the file is full; what was recorded
until then is there. Keys are hashed with a secret that nobody has, unless the cache runs with --capture-salt. As with changes
of plugins, without a token only this machine may.`,
		Example: `  edgecache trace capture -o now.oracleGeneral.zst --for 5m
  edgecache sim now.oracleGeneral.zst`,
		Args: arguments(0, 0),
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.path, "output", "o", "", "`file` that is written, .zst at the end, or - for the standard output")
	flags.DurationVar(&f.duration, "for", 30*time.Second, "`time` that the capture lasts; 0 is until SIGINT")
	config.BindAdmin(flags, &f.admin, "`host:port` of the admin frontend")
	config.BindAdminToken(flags, &f.token, "`token` that the admin frontend asks for")
	config.BindCaptureOps(flags, "ops", &f.ops)
	config.BindCaptureMaxBytes(flags, "max-bytes", &f.maxBytes)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case f.path == "":
			return usageError{errors.New("-o FILE is missing: where the trace shall be written")}
		case f.path != "-" && !strings.HasSuffix(f.path, capture.Suffix):
			return usageError{fmt.Errorf("-o %s: the name must end in %s, which the trace is compressed with", f.path, capture.Suffix)}
		case f.duration < 0:
			return usageError{fmt.Errorf("--for %v: a time is wanted, or 0", f.duration)}
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return a.captureTrace(ctx, f)
	}
	return cmd
}

// captureTrace asks for a capture and writes it.
func (a *app) captureTrace(ctx context.Context, f *captureFlags) error {
	query := url.Values{"ops": {f.ops}}
	if f.duration > 0 {
		query.Set("for", f.duration.String())
	}
	answer, err := f.send(ctx, http.MethodPost, "/capture?"+query.Encode(), nil)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("nothing was recorded: %w", ctx.Err())
		}
		return err
	}
	defer func() { _ = answer.Body.Close() }() // ends the capture, if it goes on
	n, err := a.receive(f, answer.Body)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	fmt.Fprintf(a.err, "%s: %d requests", f.path, n)
	if dropped := answer.Trailer.Get(admin.DroppedTrailer); dropped != "" && dropped != "0" {
		fmt.Fprintf(a.err, ", and %s events that came too fast were dropped", dropped)
	}
	fmt.Fprintln(a.err)
	return err
}

// receive writes what comes to the file.
func (a *app) receive(f *captureFlags, source io.Reader) (requests int64, err error) {
	if f.path == "-" {
		return capture.Receive(a.out, source, f.maxBytes)
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	requests, err = capture.Receive(file, source, f.maxBytes)
	return requests, errors.Join(err, file.Close())
}
