// Command httpservers is the Go peers of edgecache's proxy: gregjones/httpcache, a caching transport under a reverse proxy, and
// fasthttp, which answers from memory and caches nothing.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/gregjones/httpcache"
	"github.com/valyala/fasthttp"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "httpservers:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("httpservers", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8000", "`host:port` to serve on")
	kind := flags.String("kind", "fasthttp", "gregjones or fasthttp")
	to := flags.String("to", "", "the `URL` of the origin of gregjones")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch *kind {
	case "fasthttp":
		return fasthttp.ListenAndServe(*listen, objects())
	case "gregjones":
		origin, err := url.Parse(*to)
		if err != nil {
			return err
		}
		server := &http.Server{Addr: *listen, Handler: caching(origin), ReadHeaderTimeout: time.Minute}
		return server.ListenAndServe()
	default:
		return errors.New("-kind is gregjones or fasthttp")
	}
}

// objects serves /1k and /64k.
func objects() fasthttp.RequestHandler {
	small, large := bytes.Repeat([]byte{'x'}, 1<<10), bytes.Repeat([]byte{'x'}, 64<<10)
	return func(c *fasthttp.RequestCtx) {
		c.Response.Header.Set("Cache-Control", "max-age=3600")
		c.SetContentType("application/octet-stream")
		switch string(c.Path()) {
		case "/1k":
			c.Response.SetBodyRaw(small)
		case "/64k":
			c.Response.SetBodyRaw(large)
		default:
			c.SetStatusCode(fasthttp.StatusNotFound)
		}
	}
}

// caching is how the transport is used on a server.
func caching(origin *url.URL) http.Handler {
	transport := httpcache.NewMemoryCacheTransport()
	transport.Transport = &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(origin) }, Transport: transport}
}
