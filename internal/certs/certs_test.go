package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// write makes a certificate for a name and its key in a folder.
func write(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// name returns for whom the certificate is that a handshake gets.
func (f *Files) name(t *testing.T) string {
	t.Helper()
	c, err := f.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.Subject.CommonName
}

func TestCertificateChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		cert, key := write(t, dir, "one")
		var log bytes.Buffer
		f, err := Open(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, "other")
		touch(t, cert, 1)
		if got := f.name(t); got != "one" {
			t.Errorf("certificate of %s, want that the files are not looked at each time", got)
		}
		time.Sleep(every)
		if got := f.name(t); got != "other" {
			t.Errorf("certificate of %s after a change", got)
		}
		if err := os.WriteFile(key, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		touch(t, key, 2)
		time.Sleep(every)
		if got := f.name(t); got != "other" || !strings.Contains(log.String(), "the one before stays") {
			t.Errorf("certificate of %s with a bad key, log %s", got, &log)
		}
		if err := f.Reload(); err == nil {
			t.Error("Reload takes a bad key")
		}
		write(t, dir, "third")
		if err := f.Reload(); err != nil || f.name(t) != "third" {
			t.Errorf("certificate of %s, %v", f.name(t), err)
		}
		if err := os.Remove(cert); err != nil {
			t.Fatal(err)
		}
		time.Sleep(every)
		if got := f.name(t); got != "third" {
			t.Errorf("certificate of %s without files", got)
		}
	})
}

// touch gives a file another time of change than all before.
func touch(t *testing.T, path string, n int) {
	t.Helper()
	at := time.Now().Add(time.Duration(n) * time.Minute)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	cert, key := write(t, dir, "one")
	other, _ := write(t, t.TempDir(), "other")
	for _, paths := range [][2]string{{"none", key}, {cert, "none"}, {key, cert}, {other, key}} {
		if f, err := Open(paths[0], paths[1], nil); err == nil {
			t.Errorf("Open(%q) = %v", paths, f)
		}
	}
}
