package plugins

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/edgecache/edgecache/core"
)

// ErrOtherWants says that a version can't take the place of another, since it wants other hooks, operations or capabilities.
var ErrOtherWants = errors.New("the version in place wants something else: load it as another plugin")

// FailureKind says in what way a guest failed.
type FailureKind uint8

// The kinds. All but FailureStart cost the instance.
const (
	FailureTrap     FailureKind = iota // the code trapped: unreachable, a division by zero, a bad indirect call
	FailureMemory                      // it reached outside its memory
	FailureStack                       // its stack is exhausted
	FailureExit                        // it ended itself
	FailureProtocol                    // it returned or passed what the ABI does not allow
	FailureFuel                        // it used up its fuel
	FailureTime                        // it took too long by the clock
	FailureHost                        // the runtime or the host panicked
	FailureStart                       // a new instance could not be made
	failureKinds
)

var failureNames = [failureKinds]string{"trap", "memory", "stack", "exit", "protocol", "fuel", "time", "host", "start"}

// String returns the kind's name as it stands in logs and statistics.
func (k FailureKind) String() string { return failureNames[k] }

// GuestError says that a guest failed. It is core.ErrPlugin.
type GuestError struct {
	Plugin string
	// Call is the export that was called, or what else the guest was used for.
	Call string
	Kind FailureKind
	// Err is the cause.
	Err error
	// Trace is the guest's stack, innermost first, if there is one.
	Trace string
	// Words are what the guest wrote to its standard error or logged as an error last, up to 4 KiB: why it panicked.
	Words string
}

func (e *GuestError) Error() string { return "plugin " + e.Plugin + ": " + e.reason() }

// reason says what went wrong, but not with whom.
func (e *GuestError) reason() string {
	words, _, _ := strings.Cut(e.Words, "\n")
	if words != "" {
		words = " (" + words + ")"
	}
	return fmt.Sprintf("%s: %s: %v%s", e.Call, e.Kind, e.Err, words)
}

// Unwrap returns core.ErrPlugin and the cause.
func (e *GuestError) Unwrap() []error { return []error{core.ErrPlugin, e.Err} }

// protocolError marks what the ABI does not allow.
type protocolError struct{ error }

func protocolf(format string, args ...any) error { return protocolError{fmt.Errorf(format, args...)} }

// panicError marks a panic that was recovered.
type panicError struct{ value any }

func (e panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// failure is a call that failed, with what only its instance knew.
type failure struct {
	error  // of the runtime
	kind   FailureKind
	reason error // why the host stopped it, with kind; nil if it did not
	words  string
}

func (f *failure) Unwrap() error { return f.error }

// guestError describes what went wrong in a call.
func guestError(plugin, call string, err error) *GuestError {
	if guest, ok := errors.AsType[*GuestError](err); ok {
		return guest
	}
	text, trace, _ := strings.Cut(err.Error(), "\nwasm stack trace:\n")
	e := &GuestError{Plugin: plugin, Call: call, Kind: failureKind(err, text), Err: err, Trace: trace}
	if f, ok := errors.AsType[*failure](err); ok {
		if e.Words = f.words; f.reason != nil {
			e.Kind, e.Err = f.kind, f.reason
			return e
		}
	}
	if trace != "" {
		text, _, _ = strings.Cut(text, " (recovered by wazero)")
		e.Err = errors.New(strings.TrimPrefix(text, "wasm error: "))
	}
	return e
}

func failureKind(err error, text string) FailureKind {
	var protocol protocolError
	var exit *sys.ExitError
	var panicked panicError
	switch {
	case errors.As(err, &protocol):
		return FailureProtocol
	case errors.As(err, &exit):
		return FailureExit
	case errors.As(err, &panicked), !isTrap(text):
		return FailureHost
	case strings.HasSuffix(text, "out of bounds memory access"):
		return FailureMemory
	case strings.HasSuffix(text, "stack overflow"):
		return FailureStack
	default:
		return FailureTrap
	}
}

// isTrap tells a trap by its text: the runtime does not export its errors.
func isTrap(text string) bool {
	return strings.HasPrefix(text, "wasm error: ") || text == "stack overflow"
}
