package policytest

import (
	"testing"

	"github.com/edgecache/edgecache/core/evict"
)

// RunAdmission tests a policy with a stage of admission before it, "lru+second-hit": all that Run demands but that what fits
// stays, since a stage may keep out what would. Stages that go by sizes are tested where sizes count.
func RunAdmission(t *testing.T, name string) {
	t.Helper()
	policy, stage := evict.SplitAdmission(name)
	s := &suite{build: func(s evict.Spec) (evict.Policy, error) {
		if p, err := evict.New(name, s); err == nil || s.Bytes {
			return p, err
		}
		return evict.New(policy, s)
	}}
	if stage == "" {
		t.Fatalf("%q names no stage of admission", name)
	}
	t.Run("one by one", func(t *testing.T) { s.each(t, oneByOne) })
	t.Run("replay", func(t *testing.T) { s.each(t, replay) })
	t.Run("same seed", func(t *testing.T) { s.each(t, sameSeed) })
	t.Run("nothing is allocated", s.allocates)
}
