// Package core is the cache: commands, the chain of hooks they pass, the tiers they reach and the events they leave.
//
// Every command, from any protocol or Go call, walks one way, [Cache.Do]: before hooks in order, the tiers nearest
// first, after hooks in reverse, one event to the observers. The methods of [Cache] are short forms of it.
//
// core knows no transport, no store and no guest: an outside package passes any [Backend], [Hook] or [Observer] to [New].
package core
