// Package invalid knows what has been purged: tags, exact URLs, prefixes of URLs, everything; hard, so that it is not used
// any more, or soft, so that it is stale. A purge costs the same however many responses it is about, and holds at once.
//
// # What holds between nodes
//
// The purges are a log in the cache that the responses are in, so that nodes that share its farthest tier share them, and
// what a tier brings back after a restart is known to be purged. The log's records have times that only grow, whatever the
// nodes' clocks say, and its end as a node knows it is that node's position. A stored response has the position of the node
// that asked the origin for it, taken before it did (Stamp). A purge is about every response whose position is before it.
// So no clock is compared with another one's: what was fetched by a node that had not heard of a purge yet is purged by it,
// though it may be new; what was fetched by one that had is not.
//
// # What is kept
//
// Nothing is kept of responses: these have hashes of their tags at hand, and look those up among what has been purged when
// that has changed. A hash that two tags share purges both. What was purged is remembered for as long as a response can
// live. Where that is too much, the oldest purges are made up for by one of everything that they could be about.
package invalid
