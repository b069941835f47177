// Command floor is what caches are measured against: net/http alone, which answers /1k, /64k and /1m from memory, and with -to
// a bare httputil.ReverseProxy. It serves as the origin of the others, too: what it answers is fresh for an hour, and below
// /miss never.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("floor", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8000", "`host:port` to serve on")
	to := flags.String("to", "", "forward everything to this `URL`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	handler := Objects()
	if *to != "" {
		origin, err := url.Parse(*to)
		if err != nil {
			return err
		}
		handler = forward(origin)
	}
	server := &http.Server{Addr: *listen, Handler: handler, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Objects serves the objects from memory.
func Objects() http.Handler {
	mux := http.NewServeMux()
	for name, size := range map[string]int{"1k": 1 << 10, "64k": 64 << 10, "1m": 1 << 20} {
		content, length := bytes.Repeat([]byte{'x'}, size), []string{strconv.Itoa(size)}
		serve := func(cacheControl string) http.HandlerFunc {
			header := []string{cacheControl}
			return func(w http.ResponseWriter, _ *http.Request) {
				h := w.Header()
				h["Cache-Control"], h["Content-Length"], h["Content-Type"] = header, length, octets
				_, _ = w.Write(content) // who has gone is counted by the others
			}
		}
		mux.Handle("/"+name, serve("max-age=3600"))
		mux.Handle("/miss/"+name, serve("no-store"))
	}
	return mux
}

var octets = []string{"application/octet-stream"} //nolint:gochecknoglobals // a constant, shared by all answers

// forward is a proxy with what it takes to be quick: many idle connections, and buffers that are used again.
func forward(origin *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(origin); r.SetXForwarded() },
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 256, DisableCompression: true, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: time.Minute,
		},
		BufferPool: &buffers{sync.Pool{New: func() any { return new([32 << 10]byte) }}},
		ErrorLog:   log.New(io.Discard, "", 0),
	}
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte { return b.pool.Get().(*[32 << 10]byte)[:] }

func (b *buffers) Put(p []byte) { b.pool.Put((*[32 << 10]byte)(p)) }
