package main

import (
	"context"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/internal/config"
)

func (a *app) runCommand() *cobra.Command {
	settings := config.NewRun()
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Serve the cache until SIGINT or SIGTERM",
		Long: `Serve the cache until SIGINT or SIGTERM, then finish what runs and end.

Without flags everything is kept in memory and the built-in plugins hitratio, timing and keyrewrite are loaded. Every
flag has an environment variable: EDGECACHE_MAX_MEMORY is --max-memory. SIGHUP reads the plugins' files again, SIGUSR1
saves the memory tier where --persist says.`,
		Example: `  edgecache run
  edgecache run --redis redis://127.0.0.1:6379/0 --max-memory 1GiB
  edgecache run --plugin keyrewrite=rules.json --plugin ./mine.wasm --grant mine=kv,metrics`,
		Args: arguments(0, 0),
	}
	cmd.Flags().SortFlags = false
	settings.Bind(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := settings.Validate(); err != nil {
			return usageError{err}
		}
		off, err := a.switchedOff()
		if err != nil {
			return usageError{err}
		}
		settings.NoCache = settings.NoCache || off
		logger := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: settings.LogLevel}))
		a.limitMemory(settings.MaxMemory)
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		reload := make(chan os.Signal, 1)
		signal.Notify(reload, syscall.SIGHUP)
		defer signal.Stop(reload)
		save := make(chan os.Signal, 1)
		signal.Notify(save, syscall.SIGUSR1)
		defer signal.Stop(save)
		return serve(ctx, stop, asked{reload, save}, settings, logger)
	}
	return cmd
}

// limitMemory tells the garbage collector where to work harder, unless GOMEMLIMIT did: what the memory tier may hold,
// half of it again for what is garbage, and what the rest of the process needs.
func (a *app) limitMemory(tier int64) {
	const rest = 64 << 20
	if given, _ := a.lookupEnv("GOMEMLIMIT"); given != "" || tier > (math.MaxInt64-rest)/3*2 {
		return
	}
	debug.SetMemoryLimit(tier + tier/2 + rest)
}

// stopTimeout bounds how long a stop waits for the commands, events and spans that are under way.
const stopTimeout = 10 * time.Second

// asked are signals that ask for something while the server goes on.
type asked struct{ reload, save <-chan os.Signal }

// serve runs the cache until ctx ends or a frontend fails, and reloads the plugins and saves the memory tier whenever that is
// asked for. A second signal, after forget, ends the process at once.
func serve(ctx context.Context, forget func(), asked asked, settings *config.Run, logger *slog.Logger) error {
	started := time.Now()
	s, err := wire(ctx, settings, logger)
	if err != nil {
		return err
	}
	failed := s.serve()
	logger.LogAttrs(ctx, slog.LevelInfo, "ready", append(s.describe(), slog.Duration("after", time.Since(started)))...)
	for waiting := true; waiting; {
		select {
		case <-asked.reload:
			s.reload(ctx)
		case <-asked.save:
			s.saveNow(ctx)
		case <-ctx.Done():
			waiting = false
		case err = <-failed:
			waiting = false
		}
	}
	forget()
	logger.LogAttrs(ctx, slog.LevelInfo, "stopping")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if stopErr := s.stop(stopping); err == nil {
		err = stopErr
	} else if stopErr != nil {
		logger.LogAttrs(ctx, slog.LevelError, "stopping failed", slog.Any("error", stopErr))
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "stopped")
	return err
}
