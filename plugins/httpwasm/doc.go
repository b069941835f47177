// Package httpwasm runs guests of the http-wasm HTTP handler ABI (https://http-wasm.io/http-handler-abi/), as Traefik and
// Dapr do, as middleware of net/http. Guests made for them run here unchanged: they see every request before the cache
// does, and every response on its way out, and may change or answer both.
//
// They cost a call each way and hold an instance while the next handler works, which hooks of the cache's own ABI do not:
// see docs/PLUGINS-HTTP.md for those.
//
// Guests run on fuel (package meter) and within a memory of their own. One that traps, uses up its fuel or breaks the ABI
// ends its request as Options.Open says; its instance is thrown away, and the next request gets a new one.
package httpwasm
