package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// request is one GET of the log.
type request struct {
	target string
	size   int
}

// maxBody bounds the values, so that a log of large files stays a demo.
const maxBody = 64 << 10

// openLog reads the access log at path, or makes one up.
func openLog(path string) ([]request, string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		requests, err := parseLog(strings.NewReader(madeUpLog(10_000)))
		return requests, "a made-up access log", err
	}
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = f.Close() }()
	requests, err := parseLog(f)
	return requests, path, err
}

// parseLog takes the GET requests out of a log in combined format.
func parseLog(r io.Reader) ([]request, error) {
	var requests []request
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, rest, ok := strings.Cut(lines.Text(), `"GET `)
		if !ok {
			continue
		}
		target, rest, ok := strings.Cut(rest, " ")
		_, rest, quoted := strings.Cut(rest, `" `)
		fields := strings.Fields(rest)
		if !ok || !quoted || len(fields) < 2 {
			continue
		}
		size, _ := strconv.Atoi(fields[1]) // "-" is no body
		requests = append(requests, request{target: target, size: min(size, maxBody)})
	}
	if len(requests) == 0 && lines.Err() == nil {
		return nil, errors.New("the log has no GET request in combined format")
	}
	return requests, lines.Err()
}

// madeUpLog is a log of n requests with a Zipf distribution of pages, some in other case and with tracking parameters.
func madeUpLog(n int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	pages := rand.NewZipf(rng, 1.1, 4, 2000)
	var b strings.Builder
	for i := range n {
		page := pages.Uint64()
		target := fmt.Sprintf("/articles/%d/read?page=%d", page, page%3)
		switch rng.IntN(4) {
		case 0:
			target = strings.ToUpper(target)
		case 1:
			target += fmt.Sprintf("&utm_source=mail%d", i%7)
		}
		fmt.Fprintf(&b, "192.0.2.%d - - [17/May/2015:10:05:03 +0000] \"GET %s HTTP/1.1\" 200 %d \"-\" \"demo\"\n",
			i%250, target, 100+page*13%4000)
	}
	return b.String()
}

// rules is the keyrewrite plugin's configuration.
const rules = `{"rules":[{"lowercase":true},{"strip_query":["utm_*"]},{"prefix":"page:"}]}`

// rewritten is what the rules make of a key, worked out without the plugin.
func rewritten(key string) string {
	path, query, has := strings.Cut(strings.ToLower(key), "?")
	if !has {
		return "page:" + path
	}
	var kept []string
	for param := range strings.SplitSeq(query, "&") {
		if !strings.HasPrefix(param, "utm_") {
			kept = append(kept, param)
		}
	}
	if len(kept) == 0 {
		return "page:" + path
	}
	return "page:" + path + "?" + strings.Join(kept, "&")
}

// expectation is what a replay of the requests must come to.
type expectation struct{ requests, keys int }

func expect(requests []request) expectation {
	keys := make(map[string]bool)
	for _, r := range requests {
		keys[rewritten(r.target)] = true
	}
	return expectation{requests: len(requests), keys: len(keys)}
}

// replay asks for every target, and stores a body of the logged size where it is missing.
func replay(ctx context.Context, addr string, requests []request) (tally, error) {
	client := redis.NewClient(&redis.Options{Addr: addr, PoolSize: 1})
	defer func() { _ = client.Close() }()
	var seen tally
	body := make([]byte, maxBody)
	start := time.Now()
	for _, r := range requests {
		seen.gets++
		switch err := client.Get(ctx, r.target).Err(); {
		case err == nil:
			seen.hits++
		case errors.Is(err, redis.Nil):
			seen.sets++
			if err := client.Set(ctx, r.target, body[:r.size], time.Hour).Err(); err != nil {
				return seen, fmt.Errorf("set %q: %w", r.target, err)
			}
		default:
			return seen, fmt.Errorf("get %q: %w", r.target, err)
		}
	}
	seen.elapsed = time.Since(start)
	return seen, nil
}

// countKeys asks Redis itself.
func countKeys(ctx context.Context, addr string) (int, error) {
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = client.Close() }()
	n, err := client.DBSize(ctx).Result()
	return int(n), err
}
