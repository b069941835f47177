package policytest_test

import (
	"testing"

	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/core/evict/policytest"
)

func TestPolicies(t *testing.T) {
	for _, p := range evict.Policies() {
		t.Run(p.Name, func(t *testing.T) { policytest.Run(t, p.Name) })
	}
}
