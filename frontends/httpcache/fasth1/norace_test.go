//go:build !race

package fasth1_test

// race says that the tests run with the race detector.
const race = false
