package edgecache

import "runtime"

// maxPanic keeps a panic's text and stack within a line of the host's log.
const maxPanic = MaxLog

// panicText says what a panic is about and where it happened.
func panicText(r any) string {
	stack := make([]byte, maxPanic)
	stack = stack[:runtime.Stack(stack, false)]
	text := "panic: " + valueText(r) + "\n" + string(stack)
	return text[:min(len(text), maxPanic)]
}

// valueText does without fmt, which would add a third to a small module.
func valueText(r any) string {
	switch v := r.(type) {
	case error:
		return v.Error()
	case interface{ String() string }:
		return v.String()
	case string:
		return v
	default:
		return "a value that is neither an error nor a text"
	}
}
