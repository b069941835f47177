// Package resp serves a cache to Redis clients, over RESP2 and RESP3.
//
// A connection is one goroutine at a time. It parses everything that it has read in place, runs each command as one core.Command
// that it reuses, and writes the replies of all of them at once. Texts of errors and edge cases are those of Redis 7.0.
//
// What differs from Redis, on purpose or by the nature of a cache:
//
//   - There is one database, and only strings. Other commands are unknown.
//   - Expiries beyond the year 2262 are none.
//   - Conditions of EXPIRE (NX, XX, GT, LT) are checked against the time to live as it was an instant before: another
//     writer may come between. SETRANGE and INCRBYFLOAT are repeated until nothing came between.
//   - A write without an expiry gets the cache's default one, if it has any.
//   - OBJECT ENCODING is judged by the value alone, as Redis would for one just set.
//   - An inline command is read when its newline has come, and a NUL byte is like any other.
package resp
