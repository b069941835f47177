package resp

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/edgecache/edgecache/core"
)

const (
	syntaxError = "ERR syntax error"
	notInteger  = "ERR value is not an integer or out of range"
	tooLong     = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
)

// resolve finds the command that args ask for, or says why there is none that may be run.
func (c *conn) resolve(args [][]byte) (cmd *command, problem string) {
	cmd = c.server.commands.find(args[0])
	if cmd == nil {
		return nil, unknownCommand(args)
	}
	if cmd.subs != nil && len(args) > 1 {
		sub := cmd.sub(args[1])
		if sub == nil {
			return nil, "ERR unknown subcommand '" + cut(cString(args[1]), 128) + "'. Try " + strings.ToUpper(cmd.name) + " HELP."
		}
		cmd = sub
	}
	switch {
	case !cmd.accepts(len(args)):
		return nil, "ERR " + cmd.wrongArity()
	case !c.authed && !cmd.has(flagNoAuth):
		return nil, notLoggedIn
	}
	return cmd, ""
}

// traced runs the command with a span.
func (c *conn) traced(cmd *command, args [][]byte) {
	ctx, span := c.server.opts.Tracer.Start(context.Background(), strings.ToUpper(cmd.name),
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("edgecache.frontend", "resp"), attribute.Int64("edgecache.client", c.id)))
	defer span.End()
	mark := len(c.out)
	cmd.run(ctx, c, args)
	if len(c.out) > mark && c.out[mark] == '-' {
		text, _, _ := bytes.Cut(c.out[mark+1:], []byte{'\r'})
		span.SetStatus(codes.Error, string(text))
	}
}

// unknownCommand is what Redis says of a command that it does not know.
func unknownCommand(args [][]byte) string {
	var b strings.Builder
	b.WriteString("ERR unknown command '" + cut(cString(args[0]), 128) + "', with args beginning with: ")
	listed := 0
	for _, arg := range args[1:] {
		if listed >= 128 {
			break
		}
		word := "'" + cut(cString(arg), 128-listed) + "' "
		b.WriteString(word)
		listed += len(word)
	}
	return b.String()
}

// cString is b up to the first NUL, as C prints it.
func cString(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

// is reports whether a word is the lower-case name, in whatever case.
func is(word []byte, name string) bool {
	if len(word) != len(name) {
		return false
	}
	for i, c := range word {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

// integer reads a word as an int64, or appends the error and returns false.
func (c *conn) integer(word []byte, otherwise string) (int64, bool) {
	n, ok := core.ParseInt(word)
	if !ok {
		c.fail(otherwise)
	}
	return n, ok
}

// redisError is an error with the text that a Redis server sent, code and all.
type redisError interface {
	error
	RedisError()
}

// errorText is what a client is told about a command's error.
func errorText(err error) string {
	var re redisError
	switch {
	case errors.As(err, &re):
		return re.Error()
	case errors.Is(err, core.ErrRejected):
		return "DENIED " + reason(err)
	case errors.Is(err, core.ErrNotInteger):
		return notInteger
	case errors.Is(err, core.ErrOverflow):
		return "ERR increment or decrement would overflow"
	case errors.Is(err, core.ErrTooLarge):
		return tooLong
	default:
		return "ERR " + err.Error()
	}
}

// reason is the cause that a refusal gives, without the command that it ended.
func reason(err error) string {
	if oe, ok := errors.AsType[*core.OpError](err); ok {
		err = oe.Err
	}
	return strings.TrimPrefix(err.Error(), core.ErrRejected.Error()+": ")
}
