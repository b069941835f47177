package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/edgecache/edgecache/internal/atomicfile"
)

// wirePersist restores what the last run saved. From here on stop saves: not before, since that would put an empty cache in
// the place of a full one.
func (s *server) wirePersist(ctx context.Context) error {
	path := s.settings.Persist
	if path == "" {
		return nil
	}
	s.saves = true
	n, err := s.restoreFrom(ctx, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.logger.LogAttrs(ctx, slog.LevelInfo, "nothing saved yet", slog.String("file", path))
		return nil
	case err != nil:
		return s.setAside(ctx, path, n, err)
	default:
		s.logger.LogAttrs(ctx, slog.LevelInfo, "restored", slog.String("file", path), slog.Int64("entries", n))
		return nil
	}
}

func (s *server) restoreFrom(ctx context.Context, path string) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // only read
	return s.cache.Restore(ctx, bufio.NewReader(f))
}

// setAside gives a file that can't be read, or only in part, another name, so that the next save does not take its place.
// What came of it stays in the cache.
func (s *server) setAside(ctx context.Context, path string, n int64, failed error) error {
	aside := path + ".damaged"
	for i := 2; exists(aside); i++ {
		aside = fmt.Sprintf("%s.damaged-%d", path, i)
	}
	if err := os.Rename(path, aside); err != nil {
		s.saves = false
		return fmt.Errorf("--persist (EDGECACHE_PERSIST): %s can't be read (%w), nor set aside: %w: move it away", path, failed, err)
	}
	s.logger.LogAttrs(ctx, slog.LevelWarn, "saved cache can't be read, or only in part: it is kept aside, and the cache goes on with what came of it",
		slog.String("file", path), slog.String("aside", aside), slog.Int64("entries", n), slog.Any("error", failed))
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// save writes the memory tier to the file, if there is to be one. With an error the file is as it was.
func (s *server) save(ctx context.Context) error {
	if !s.saves {
		return nil
	}
	var n int64
	err := atomicfile.Stream(s.settings.Persist, 0o600, func(w io.Writer) (err error) {
		n, err = s.cache.Persist(ctx, w)
		return err
	})
	if err != nil {
		return fmt.Errorf("--persist (EDGECACHE_PERSIST): the cache is not saved, %s is as it was: %w", s.settings.Persist, err)
	}
	s.logger.LogAttrs(ctx, slog.LevelInfo, "saved", slog.String("file", s.settings.Persist), slog.Int64("entries", n))
	return nil
}

// saveNow is save for who asks for it while the server goes on.
func (s *server) saveNow(ctx context.Context) {
	switch err := s.save(ctx); {
	case err != nil:
		s.logger.LogAttrs(ctx, slog.LevelError, "saving failed", slog.Any("error", err))
	case !s.saves:
		s.logger.LogAttrs(ctx, slog.LevelWarn, "asked to save the cache, but --persist is not set")
	}
}
