//go:build race

package httpcache_test

// race says that the tests run with the race detector.
const race = true
