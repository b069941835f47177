package httpwasm

import (
	"log/slog"
	"net/http"
)

// Handler returns next with the guest in front of it. Without feature buffer_response next gets the ResponseWriter as it is;
// with it no answer of next can be an upgrade, and none is longer than Options.MaxBody.
func (g *Guest) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, next) })
}

func (g *Guest) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	g.requests.Add(1)
	x := &exchange{w: w, r: r, max: g.o.MaxBody}
	in, err := g.take(r.Context())
	if err != nil {
		g.fail(x, "instantiate", err, next)
		return
	}
	in.x = x
	x.enable(g.features)
	if err := in.call(in.request, 1); err != nil {
		g.discard(in)
		g.fail(x, exportRequest, err, next)
		return
	}
	if uint32(in.stack[0]) != 1 {
		g.answered.Add(1)
		g.pool.put(in)
		x.finish()
		return
	}
	g.pass(in, x, uint32(in.stack[0]>>32), next)
}

// pass has next answer, and tells the guest of it.
func (g *Guest) pass(in *instance, x *exchange, state uint32, next http.Handler) {
	panicked := x.next(next)
	in.stack = [2]uint64{uint64(state), 0}
	if panicked != nil || x.overflow != nil {
		in.stack[1] = 1
	}
	before := x.snapshot(g.o.Open)
	err := in.call(in.response, 2)
	if err != nil {
		g.note(exportResponse, err)
		g.discard(in)
	} else {
		g.pool.put(in)
	}
	switch {
	case x.overflow != nil:
		g.note("buffer", x.overflow)
		x.refuse(http.StatusBadGateway)
	case panicked != nil:
		panic(panicked) // as it was: the server knows what to do
	case err == nil:
		x.finish()
	case before != nil:
		x.restore(before)
		x.finish()
	default:
		x.refuse(http.StatusInternalServerError)
	}
}

// fail goes on where the guest failed before next could answer.
func (g *Guest) fail(x *exchange, call string, err error, next http.Handler) {
	g.note(call, err)
	if !g.o.Open || x.spent {
		x.refuse(http.StatusInternalServerError)
		return
	}
	next.ServeHTTP(x.w, x.request())
}

func (g *Guest) note(call string, err error) {
	g.failed.Add(1)
	g.o.Logger.Warn("http-wasm guest failed", slog.String("guest", g.o.Name), slog.String("call", call), slog.Any("error", err))
}
