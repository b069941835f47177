package edgecache

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Plugin is what a module does. Functions for hooks that the manifest does not list may be nil. They are called one at a
// time and must not block: nothing but the host can wake them.
//
// What a function is given belongs to the SDK and is valid until the function returns.
type Plugin struct {
	// Init reads the configuration, a JSON value that is {} where the operator gave none; the bytes are the plugin's.
	// An error refuses to load, and its text is shown to the operator. Without Init any configuration is refused.
	// It is called once for each instance.
	Init func(config []byte) error
	// Before is called ahead of a command, for hook "before".
	Before func(c *Call) Action
	// After is called when a command has ended, well or not, for hook "after".
	After func(c *Call) Action
	// HTTP is called in the phases of an exchange, for a manifest whose abi is "http/1". A verdict that stays empty lets the
	// exchange go on.
	HTTP func(f *Frame, v *Verdict)
	// Watch is told of exchanges that have ended, in batches of up to EventBatch, for the phase "event".
	Watch func(events []HTTPEvent)
	// Observe is told what happened, in batches of up to EventBatch, for hook "observe".
	Observe func(events []Event)
	// Stats reports the columns of the manifest's stats. It is asked now and then, off the way of commands.
	Stats func(r *Rows)
	// Idle is called between batches of events and after every 1,024 calls, before the collector gets its time.
	Idle func()
}

// guest is the plugin of the module and what it shares with the host.
type guest struct {
	plugin     Plugin
	registered bool
	features   uint64 // what the host announced
	call       Call
	verdict    Verdict
	events     [EventBatch]Event
	rows       Rows
}

// here is this module's guest. The host enters it through the exports alone, one call at a time.
var here = guest{call: Call{buf: room[:]}}

// The first frame suits most keys. The other one takes whatever the host passes in a call: it then gets that one for good.
// outRoom is what Call.Out offers.
const (
	firstFrame = 4 << 10
	largeFrame = BufKey + 64<<10
	outRoom    = 68 << 10
	outBegin   = firstFrame + largeFrame
)

// room is both frames and the room for results. It stands before the heap in memory, so that the host can reach results
// where they are.
var room [outBegin + outRoom]byte

// Register says what the module does. It is called once, from an init function: main does not run in a plugin.
func Register(p Plugin) {
	if here.registered {
		panic("edgecache: Register is called a second time: a module is one plugin")
	}
	here.register(p)
}

// register puts in a function with a plain message where the plugin has none.
func (g *guest) register(p Plugin) {
	missing := func(field string) string {
		return "the manifest asks for what the plugin does not have: Plugin." + field + " is nil"
	}
	if p.Before == nil {
		p.Before = func(*Call) Action { panic(missing("Before")) }
	}
	if p.After == nil {
		p.After = func(*Call) Action { panic(missing("After")) }
	}
	if p.HTTP == nil {
		p.HTTP = func(*Frame, *Verdict) { panic(missing("HTTP")) }
	}
	if p.Watch != nil {
		p.Observe = func(events []Event) { p.Watch(httpEvents(events)) }
	}
	if p.Observe == nil {
		p.Observe = func([]Event) { panic(missing("Observe")) }
	}
	if p.Stats == nil {
		p.Stats = func(*Rows) { panic(missing("Stats")) }
	}
	if p.Init == nil {
		p.Init = initWithout
	}
	if p.Idle == nil {
		p.Idle = func() {}
	}
	g.plugin, g.registered = p, true
}

func initWithout(config []byte) error {
	if s := strings.TrimSpace(string(config)); s != "{}" && s != "" {
		return errors.New("the plugin takes no configuration")
	}
	return nil
}

// init hands over the configuration, which stands in the call buffer, and leaves there the text of an error. It returns
// the text's length.
func (g *guest) init(configLen int32, features uint64) int32 {
	g.features = features
	text := g.call.buf[BufKey:]
	if !g.registered {
		return leave(text, "no plugin is registered: call edgecache.Register from an init function")
	}
	if err := g.plugin.Init([]byte(string(text[:configLen]))); err != nil {
		return leave(text, err.Error())
	}
	return 0
}

// maxReason is how long a text may be that the host shows, in bytes.
const maxReason = 1024

// leave copies an error's text, which must not be empty, as far as the host takes it.
func leave(to []byte, text string) int32 {
	if text == "" {
		text = "error without a text"
	}
	return int32(copy(to, fit(strings.ToValidUTF8(text, "\uFFFD"))))
}

// fit cuts a text off at maxReason, between two characters.
func fit(text string) string {
	if len(text) <= maxReason {
		return text
	}
	end := maxReason
	for end > maxReason-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// before makes what the host passed a Call, and of what the plugin says the host's number.
func (g *guest) before(op, keyLen, valueLen int32, ttl int64, flags int32) Action {
	c := &g.call
	c.op, c.keyLen, c.valueLen, c.ttl, c.flags, c.cookie = Op(op), keyLen, valueLen, ttl, flags, 0
	return g.plugin.Before(c) | c.cookie
}

// after is before's counterpart. The cookie is only read here.
func (g *guest) after(op, keyLen, result int32, elapsed int64, valueLen int32) Action {
	c := &g.call
	c.op, c.keyLen, c.valueLen, c.elapsed, c.result = Op(op), keyLen, valueLen, elapsed, result
	return g.plugin.After(c)
}

// observe hands over the first n of the events, which the host has written.
func (g *guest) observe(n int32) { g.plugin.Observe(g.events[:n]) }

// stats returns the rows that the plugin reports.
func (g *guest) stats() *Rows {
	g.rows.reset()
	g.plugin.Stats(&g.rows)
	return &g.rows
}
