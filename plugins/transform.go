package plugins

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/internal/atomicfile"
	"github.com/edgecache/edgecache/plugins/meter"
)

// transform is what is done to a module before it is compiled: its tables are bounded, and its code is metered. With a
// folder for compiled code, the result is kept there, too.
func (h *Host) transform(mod *hostabi.Module, wasm []byte) ([]byte, error) {
	wasm, err := mod.ClampTables(wasm, maxTable)
	if err != nil || h.unmetered {
		return wasm, err
	}
	if h.cacheDir == "" {
		return rewrite(wasm)
	}
	path := h.meteredPath(wasm)
	if metered, ok := readMetered(path); ok {
		return metered, nil
	}
	metered, err := rewrite(wasm)
	if err == nil {
		h.keepMetered(path, metered)
	}
	return metered, err
}

// rewrite returns the module metered.
func rewrite(wasm []byte) ([]byte, error) {
	metered, info, err := meter.Rewrite(wasm, meter.Options{})
	if err != nil {
		return nil, fmt.Errorf("module can't be metered: %w", err)
	}
	if info.LargestRun > maxRun {
		return nil, fmt.Errorf("module has a stretch of code of %d units without a loop or a call: at most %d are allowed",
			info.LargestRun, maxRun)
	}
	return metered, nil
}

// meteredPath is where the metered form of a module is kept.
func (h *Host) meteredPath(wasm []byte) string {
	sum := sha256.Sum256(wasm)
	return filepath.Join(h.cacheDir, fmt.Sprintf("metered-%d", meter.Version), hex.EncodeToString(sum[:])+".wasm")
}

// readMetered reads what keepMetered wrote: a checksum, then the module. A file that is damaged is as none.
func readMetered(path string) ([]byte, bool) {
	b, err := os.ReadFile(path)
	if err != nil || len(b) < sha256.Size {
		return nil, false
	}
	sum := sha256.Sum256(b[sha256.Size:])
	return b[sha256.Size:], bytes.Equal(sum[:], b[:sha256.Size])
}

// keepMetered writes a metered module for readMetered. If that fails, the next process has more to do: no more than that.
func (h *Host) keepMetered(path string, metered []byte) {
	sum := sha256.Sum256(metered)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = atomicfile.Write(atomicfile.File{Path: path, Data: append(sum[:], metered...), Mode: 0o600})
	}
	if err != nil {
		h.logger.LogAttrs(context.Background(), slog.LevelWarn, "a metered plugin is not kept", slog.Any("error", err))
	}
}
