// Package plugins runs guests: WebAssembly modules that speak the ABI of package hostabi, as hooks and observers of a
// cache.
//
// A [Host] holds the WebAssembly runtime. [Host.Load] checks a module before any of its code runs and returns a
// [Plugin], whose [Plugin.Hook] and [Plugin.Observer] go to the cache. A guest is used through instances, each with a
// memory of its own and used by one command at a time. What a guest does wrong costs the command at hand, by the
// plugin's failure policy, and the instance; the process, other plugins and other commands go on.
//
// Guests run on fuel, and against a clock where that could take long: one that does not return is stopped, as if it had
// failed.
package plugins
