// Package certs keeps a certificate that stands in files, and reads it again when they change.
package certs

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Files is a certificate and its key in PEM. It is safe for concurrent use.
type Files struct {
	cert, key string
	logger    *slog.Logger
	now       atomic.Pointer[tls.Certificate]
	next      atomic.Int64 // when to look at the files, in nanoseconds of Unix

	mu   sync.Mutex // one look at a time; guards seen
	seen [2]stamp
}

// stamp is what tells that a file was written anew.
type stamp struct {
	modified time.Time
	size     int64
}

// Open reads the files. logger is told of changes; nil discards them.
func Open(cert, key string, logger *slog.Logger) (*Files, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	f := &Files{cert: cert, key: key, logger: logger}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// every is how often the files are looked at, by handshakes, at most.
const every = 2 * time.Second

// Certificate is for tls.Config.GetCertificate. It looks at the files now and then; where they can't be read, or do not belong
// together yet, the certificate stays.
func (f *Files) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if now := time.Now().UnixNano(); now >= f.next.Load() && f.mu.TryLock() {
		defer f.mu.Unlock()
		f.next.Store(now + int64(every))
		f.look()
	}
	return f.now.Load(), nil
}

// look reads the files if they have changed. mu is held.
func (f *Files) look() {
	stamps, err := f.stamps()
	if err == nil && stamps == f.seen {
		return
	}
	if err == nil {
		err = f.read(stamps)
	}
	if err != nil {
		f.logger.Error("certificate can't be read: the one before stays", slog.Any("error", err))
		return
	}
	f.logger.Info("certificate read", slog.String("file", f.cert))
}

// Reload reads the files now. With an error the certificate stays.
func (f *Files) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamps, err := f.stamps()
	if err != nil {
		return err
	}
	f.next.Store(time.Now().Add(every).UnixNano())
	return f.read(stamps)
}

func (f *Files) stamps() (s [2]stamp, err error) {
	for i, path := range []string{f.cert, f.key} {
		var info fs.FileInfo
		if info, err = os.Stat(path); err != nil {
			return s, err
		}
		s[i] = stamp{info.ModTime(), info.Size()}
	}
	return s, nil
}

// read keeps what the files hold. mu is held. The stamps were taken before, so that a change in between is seen later.
func (f *Files) read(stamps [2]stamp) error {
	f.seen = stamps
	c, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("certificate %s with the key %s: %w", f.cert, f.key, err)
	}
	f.now.Store(&c)
	return nil
}
