package resp

import (
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Options configures a Server. The zero value serves everybody on the loopback interface.
type Options struct {
	// RequirePass is the password of the user "default". "" asks none, unless Users are given.
	RequirePass string
	// Users are the passwords of further users, by name. Where there are some, every client must authenticate.
	Users map[string]string
	// Unprotected lets clients from other machines in although no password is set.
	Unprotected bool
	// MaxClients bounds the connections. 0 means 10,000.
	MaxClients int
	// MaxBulk bounds one word of a command, and so a value, in bytes. 0 means 64 MiB.
	MaxBulk int
	// MaxArgs bounds the words of a command. 0 means 1,048,576.
	MaxArgs int
	// InlineMax bounds an inline command in bytes. 0 means 64 KiB.
	InlineMax int
	// OutputLimit bounds the replies that wait to be written, in bytes: a connection that would need more is closed.
	// Replies are written as soon as there are 64 KiB of them, so only the reply to one command can be so large.
	// 0 means 64 MiB, or what one word of MaxBulk needs if that is more.
	OutputLimit int
	// WriteTimeout is how long a client may leave replies unread before its connection is closed. It is kept to the
	// second. 0 means 30 s.
	WriteTimeout time.Duration
	// LoginTimeout is how long a client may take to authenticate, where it must. It is kept to the second. 0 means 10 s.
	LoginTimeout time.Duration
	// IdleTimeout closes connections that send nothing for so long. It is kept to the second. 0 is never.
	IdleTimeout time.Duration
	// MaxMemory is what CONFIG GET and INFO give as maxmemory, in bytes. 0 is no limit.
	MaxMemory int64
	// Version is edgecache's own, for INFO.
	Version string
	// Info returns further sections for INFO. It may block. nil is none.
	Info func() []InfoSection
	// Tracer makes a server span, named by the command, for the commands that Sample picks. Both or neither are needed.
	Tracer trace.Tracer
	// Sample is asked before every command and must be quick and safe for concurrent use.
	Sample func() bool
	// Logger receives what goes wrong beside replies. nil discards it.
	Logger *slog.Logger
}

// InfoSection is a part of INFO's reply.
type InfoSection struct {
	Name   string // as in "# Name"; INFO takes it in any case
	Fields []InfoField
}

// InfoField is a line of an InfoSection. Neither part may have line breaks.
type InfoField struct{ Name, Value string }

// withDefaults checks the options and fills in what is zero.
func (o Options) withDefaults() (Options, error) {
	switch {
	case o.MaxClients < 0 || o.MaxBulk < 0 || o.MaxArgs < 0 || o.InlineMax < 0 || o.OutputLimit < 0:
		return o, errors.New("resp: a limit is negative")
	case o.IdleTimeout < 0 || o.WriteTimeout < 0 || o.LoginTimeout < 0:
		return o, errors.New("resp: a timeout is negative")
	case (o.Tracer == nil) != (o.Sample == nil):
		return o, errors.New("resp: a Tracer needs a Sample and a Sample a Tracer")
	}
	for name, password := range o.Users {
		if name == "" || password == "" {
			return o, errors.New("resp: a user has no name or no password")
		}
	}
	setDefault(&o.MaxClients, 10_000)
	setDefault(&o.MaxBulk, 64<<20)
	setDefault(&o.MaxArgs, 1<<20)
	setDefault(&o.InlineMax, 64<<10)
	setDefault(&o.OutputLimit, max(64<<20, o.MaxBulk+flushSize+64))
	setDefault(&o.WriteTimeout, 30*time.Second)
	setDefault(&o.LoginTimeout, 10*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
