//go:build !race

package resp

// race says that the tests run with the race detector.
const race = false
