//go:build !race

package torture_test

const raced = false
