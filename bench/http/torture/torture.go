// Package torture treats a caching proxy badly and checks every byte that it answers: clients cancel, stall and ask for
// ranges, on conditions and as different users, while objects change, are purged in every way, and the origin stalls, fails
// and hangs up. An answer must be, to the byte, what the origin had under that URL for that reader in the version that it
// bears, and that version no older than a purge which had returned before the request began.
package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Purge tells the proxy what is void. It returns when that holds.
type Purge func(ctx context.Context, by By, name string, soft bool) error

// By says what a purge names.
type By uint8

// What a purge names: the path of an object, what paths begin with, or a tag.
const (
	URL By = iota
	Prefix
	Tag
)

// Config is a torture.
type Config struct {
	// Duration is how long it takes.
	Duration time.Duration
	// Clients is how many ask at a time.
	Clients int
	// Objects is how many there are. Their sizes are up to 3 MiB.
	Objects int
	// Calm is without faults of the origin and without new versions: no answer may break off then, and none be 502, 503 or 504.
	Calm bool
}

// Torture is one that can be run once.
type Torture struct {
	config Config
	run    *run
}

// New prepares a torture.
func New(c Config) *Torture {
	all := objects(c.Objects)
	return &Torture{config: c, run: &run{objects: all, origin: newOrigin(all, c.Calm), statuses: map[string]int{}}}
}

// Origin is what the proxy must have as its origin.
func (t *Torture) Origin() http.Handler { return t.run.origin }

// Run tortures the proxy at url until the time is over or ctx ends, and reports.
func (t *Torture) Run(ctx context.Context, url string, purge Purge) *Report {
	ctx, cancel := context.WithTimeout(ctx, t.config.Duration)
	defer cancel()
	t.run.url, t.run.purge, t.run.done = url, purge, ctx.Done()
	transport := &http.Transport{MaxIdleConnsPerHost: t.config.Clients, DisableCompression: true}
	defer transport.CloseIdleConnections()
	var all sync.WaitGroup
	for range t.config.Clients {
		all.Go(func() {
			c := &client{run: t.run, http: &http.Client{Transport: transport}, names: [4]string{"anna", "bert", "carl", "dora"}}
			for ctx.Err() == nil {
				c.one(ctx)
			}
		})
	}
	all.Go(func() { t.run.change(ctx) })
	all.Go(func() { t.run.change(ctx) })
	all.Wait()
	return t.report()
}

// run is what the parts of a torture share.
type run struct {
	url     string
	purge   Purge
	done    <-chan struct{}
	objects []*object
	origin  *origin

	requests, cancelled, brokenOff, failed, bytes atomic.Int64
	purges, posts                                 atomic.Int64

	mu       sync.Mutex
	statuses map[string]int // by status and what Cache-Status says
	failures []string       // the first ones
	wrong    int
}

// change makes new versions and purges old ones, one after the other, with rests.
func (r *run) change(ctx context.Context) {
	for ctx.Err() == nil {
		o := r.objects[rand.IntN(len(r.objects))]
		var err error
		switch rand.IntN(10) {
		case 0:
			err = r.post(ctx, o)
		case 1, 2, 3:
			r.origin.next(o) // nobody is told
		case 4:
			err = r.purgeTag(ctx, o.tag(), rand.IntN(2) == 0)
		case 5:
			err = r.purgeOne(ctx, Prefix, o.folder(), o, rand.IntN(2) == 0)
		default:
			err = r.purgeOne(ctx, URL, o.path(), o, rand.IntN(3) == 0)
		}
		if err != nil && ctx.Err() == nil {
			r.fail("%v", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rand.Int64N(int64(20 * time.Millisecond)))):
		}
	}
}

// purgeOne makes a new version and purges what there was.
func (r *run) purgeOne(ctx context.Context, by By, name string, o *object, soft bool) error {
	version := r.origin.next(o)
	if err := r.purge(ctx, by, name, soft); err != nil {
		return fmt.Errorf("purge of %s: %w", name, err)
	}
	r.purges.Add(1)
	o.purged(version, soft)
	return nil
}

// purgeTag makes new versions of all objects with the tag and purges it.
func (r *run) purgeTag(ctx context.Context, tag string, soft bool) error {
	versions := map[*object]int64{}
	for _, o := range r.objects {
		if o.tag() == tag {
			versions[o] = r.origin.next(o)
		}
	}
	if err := r.purge(ctx, Tag, tag, soft); err != nil {
		return fmt.Errorf("purge of the tag %s: %w", tag, err)
	}
	r.purges.Add(1)
	for o, version := range versions {
		o.purged(version, soft)
	}
	return nil
}

func (o *object) purged(version int64, soft bool) {
	if soft {
		raise(&o.soft, version)
		return
	}
	raise(&o.hard, version)
}

// post changes an object through the proxy, which makes void what is stored (RFC 9111 section 4.4).
func (r *run) post(ctx context.Context, o *object) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+o.path(), strings.NewReader("news"))
	if err != nil {
		return err
	}
	version := o.version.Load()
	if !r.origin.calm {
		version++ // at least, once it has been answered
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("POST %s: %w", o.path(), err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: status %d", o.path(), res.StatusCode)
	}
	r.posts.Add(1)
	o.purged(version, false)
	return nil
}

// rest waits as a slow reader does.
func (r *run) rest() {
	select {
	case <-r.done:
	case <-time.After(time.Duration(rand.Int64N(int64(500 * time.Millisecond)))):
	}
}

// kept is how many failures are told in full.
const kept = 20

func (r *run) fail(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wrong++; len(r.failures) < kept {
		r.failures = append(r.failures, fmt.Sprintf(format, args...))
	}
}

// count notes how an answer came about.
func (r *run) count(res *http.Response) {
	how := strings.Split(res.Header.Get("Cache-Status"), "; ")
	how = slices.DeleteFunc(how, func(part string) bool {
		name, _, _ := strings.Cut(part, "=")
		return name != "hit" && name != "fwd" && name != "collapsed"
	})
	key := fmt.Sprint(res.StatusCode, " ", strings.Join(how, " "))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statuses[key]++
}
