package scenario

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/plugins"
)

// Options say what a scenario runs against.
type Options struct {
	// Source is the plugin. Its configuration and its capabilities are the scenario's to give.
	Source plugins.Source
	// CacheDir is where compiled code is kept: see plugins.HostOptions. Where that can't be, or for "", it is not kept.
	CacheDir string
}

// Result is what became of a scenario.
type Result struct {
	// Checks counts the lines that expect something, Skipped those of them that were left out because the plugin did not
	// load or the connection broke.
	Checks  int `json:"checks"`
	Skipped int `json:"skipped"`
	// Failures are those that something else came for, in their order.
	Failures []Failure `json:"failures"`
}

// Failure is a line that did not come true.
type Failure struct {
	File string `json:"file"`
	Line int    `json:"line"`
	// Text is the line as it stands there.
	Text string `json:"text"`
	// Want and Got may have several lines.
	Want string `json:"want"`
	Got  string `json:"got"`
	// Log is what the plugin has logged since the last command.
	Log []string `json:"log,omitempty"`
}

// String returns the failure as several lines, the first with file and line.
func (f Failure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: %s\n", f.File, f.Line, f.Text)
	block(&b, "want", f.Want)
	block(&b, "got", f.Got)
	for _, l := range f.Log {
		block(&b, "log", l)
	}
	return b.String()
}

// block writes lines with a word before them, and blanks before further ones.
func block(b *strings.Builder, word, text string) {
	for l := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(b, "    %-5s%s\n", word, l)
		word = ""
	}
}

// Run runs the scenario. An error says that it could not be run to its end; what came out by then is in the result. The
// result's failures belong to the plugin.
func (s *Scenario) Run(ctx context.Context, o Options) (res Result, err error) {
	res.Failures = []Failure{}
	r := &session{scenario: s, source: o.Source, res: &res, log: &recorder{}}
	if r.host, err = newHost(ctx, o.CacheDir, slog.New(r.log)); err != nil {
		return res, err
	}
	defer func() {
		err = errors.Join(err, r.reset(ctx), r.host.Close(ctx))
	}()
	for i := range s.steps {
		if err := ctx.Err(); err != nil {
			return res, err
		}
		r.at = &s.steps[i]
		r.at.do.run(ctx, r)
	}
	r.ready(ctx) // a plugin that nothing was asked of must load all the same
	return res, nil
}

func newHost(ctx context.Context, dir string, logger *slog.Logger) (*plugins.Host, error) {
	o := plugins.HostOptions{CacheDir: dir, Logger: logger, LogBurst: logBurst}
	host, err := plugins.NewHost(ctx, o)
	if err != nil && dir != "" {
		o.CacheDir = ""
		host, err = plugins.NewHost(ctx, o)
	}
	return host, err
}

// logBurst is so large that no line of a plugin gets lost.
const logBurst = 1 << 20

// session is a run under way.
type session struct {
	scenario *Scenario
	at       *step
	res      *Result

	host   *plugins.Host
	log    *recorder
	source plugins.Source
	cache  *cache // nil before the first line that needs one
	broken bool   // it could not be opened or lost its connection: no line is run before the next config or grant
}

// check counts n lines that expect something and reports whether they can be run.
func (r *session) check(ctx context.Context, n int) bool {
	r.res.Checks += n
	if r.broken {
		r.res.Skipped += n
	}
	return r.ready(ctx)
}

// ready sees to a cache and reports whether there is one.
func (r *session) ready(ctx context.Context) bool {
	if r.broken || r.cache != nil {
		return !r.broken
	}
	c, err := open(ctx, r.host, r.source)
	if err != nil {
		r.broken = true
		r.fail("the plugin loads", err.Error())
		return false
	}
	r.cache = c
	return true
}

// reset gives the cache back, if there is one.
func (r *session) reset(ctx context.Context) (err error) {
	if r.cache != nil {
		err = r.cache.close(ctx)
	}
	r.cache, r.broken = nil, false
	r.log.clear()
	return err
}

// fresh is reset where an error is the line's.
func (r *session) fresh(ctx context.Context) {
	if err := r.reset(ctx); err != nil {
		r.fail("the plugin ends", err.Error())
	}
}

// fail notes that the line at hand did not come true.
func (r *session) fail(want, got string) { r.failAt(r.at.line, r.at.text, want, got) }

func (r *session) failAt(line int, text, want, got string) {
	f := Failure{File: r.scenario.file, Line: line, Text: text, Want: want, Got: got}
	for _, l := range r.log.all() {
		f.Log = append(f.Log, l.String())
	}
	r.res.Failures = append(r.res.Failures, f)
}

// action is what a line does.
type action interface {
	run(ctx context.Context, r *session)
}

type configure struct{ config []byte }

func (a configure) run(ctx context.Context, r *session) {
	r.fresh(ctx)
	r.source.Config = a.config
}

type grant struct{ needs []string }

func (a grant) run(ctx context.Context, r *session) {
	r.fresh(ctx)
	if len(a.needs) == 0 {
		r.source.Grants.Needs = nil
		return
	}
	r.source.Grants.Needs = append(slices.Clip(r.source.Grants.Needs), a.needs...)
}

// command is a command with its reply.
type command struct {
	words   []string
	replies []reply
}

// reply is one line of a reply.
type reply struct {
	line int
	text string
	want matcher
}

func (a command) run(ctx context.Context, r *session) {
	if !r.check(ctx, max(1, len(a.replies))) {
		return
	}
	r.log.clear()
	got, err := r.cache.do(a.words)
	if err != nil {
		r.broken = true
		r.fail("a reply", err.Error())
		return
	}
	r.cache.core.Flush()
	if r.cache.failures() > 0 {
		r.fail("the plugin works", "it failed; the reply was "+strings.Join(got, "\n"))
	}
	a.compare(r, got)
}

func (a command) compare(r *session, got []string) {
	if len(a.replies) == 0 {
		if strings.HasPrefix(got[0], "(error)") {
			r.fail("a reply that is no error", got[0])
		}
		return
	}
	for i, want := range a.replies {
		if i >= len(got) || !want.want.match(got[i]) {
			r.failAt(want.line, want.text, a.wanted(), strings.Join(got, "\n"))
			return
		}
	}
	if len(got) > len(a.replies) {
		r.fail(a.wanted(), strings.Join(got, "\n"))
	}
}

func (a command) wanted() string {
	lines := make([]string, len(a.replies))
	for i, want := range a.replies {
		lines[i] = want.want.String()
	}
	return strings.Join(lines, "\n")
}

// key is a key where it is stored.
type key struct{ namespace, name string }

type stored struct {
	key  key
	want matcher
}

func (a stored) run(ctx context.Context, r *session) {
	e, ok := r.look(ctx, a.key)
	if !ok {
		return
	}
	got := "(nil)"
	if e != nil {
		got = quote(string(e.Value))
	}
	if !a.want.match(got) {
		r.fail(a.want.String(), got)
	}
}

// look returns what is stored under a key, and whether that could be found out.
func (r *session) look(ctx context.Context, k key) (*core.Entry, bool) {
	if !r.check(ctx, 1) {
		return nil, false
	}
	e, err := r.cache.entry(ctx, k)
	if err != nil {
		r.fail("an entry, or none", err.Error())
	}
	return e, err == nil
}

// measure looks at an entry's "length" or "ttl".
type measure struct {
	what string
	key  key
	want numbers
}

func (a measure) run(ctx context.Context, r *session) {
	e, ok := r.look(ctx, a.key)
	if !ok {
		return
	}
	got, described := a.of(e)
	if !a.want.has(got) {
		r.fail(a.want.text, described)
	}
}

// of returns the figure and how reports have it.
func (a measure) of(e *core.Entry) (float64, string) {
	if a.what == "length" {
		if e == nil {
			return -1, "no such key"
		}
		return float64(len(e.Value)), number(float64(len(e.Value)))
	}
	switch {
	case e == nil:
		return -2, "-2: no such key"
	case e.Expires == 0:
		return -1, "-1: it does not expire"
	default:
		left := e.TTL(time.Now()).Seconds()
		return left, number(left)
	}
}

// figure looks at a figure of the plugin's: of its "stats" or a "metric".
type figure struct {
	what, name string
	want       numbers
}

func (a figure) run(ctx context.Context, r *session) {
	if !r.check(ctx, 1) {
		return
	}
	got, err := a.of(r.cache.plugin)
	switch {
	case err != nil:
		r.fail(a.want.text, err.Error())
	case !a.want.has(got):
		r.fail(a.want.text, number(got))
	}
}

func (a figure) of(p *plugins.Plugin) (float64, error) {
	if a.what == "metric" {
		return metric(p, a.name)
	}
	report, err := p.Report()
	if err != nil {
		return 0, err
	}
	if len(report.Rows) == 0 {
		return 0, errors.New("the plugin reports no statistics: its manifest names none")
	}
	var names []string
	for _, f := range report.Rows[0].Figures {
		switch {
		case f.Name != a.name:
			names = append(names, f.Name)
		case f.Buckets != nil:
			return 0, errors.New("it is a histogram, no single figure")
		case f.IsRatio:
			return f.Ratio, nil
		default:
			return float64(f.Count), nil
		}
	}
	return 0, fmt.Errorf("the plugin reports no %q, only %s", a.name, strings.Join(names, ", "))
}

type logged struct{ want matcher }

func (a logged) run(ctx context.Context, r *session) {
	if !r.check(ctx, 1) {
		return
	}
	lines := r.log.all()
	if slices.ContainsFunc(lines, func(l logLine) bool { return a.want.match(l.text) }) {
		return
	}
	r.fail(a.want.String(), fmt.Sprintf("%d other lines", len(lines)))
}

type refused struct {
	config []byte
	want   matcher
}

func (a refused) run(ctx context.Context, r *session) {
	r.res.Checks++
	src := r.source
	src.Config = a.config
	p, err := r.host.Load(ctx, src)
	switch {
	case err == nil:
		r.fail("the configuration is refused", "the plugin takes it")
		if err := p.Close(ctx); err != nil {
			r.fail("the plugin ends", err.Error())
		}
	case !a.want.match(err.Error()):
		r.fail(a.want.String(), err.Error())
	}
}
