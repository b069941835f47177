package evict

import "math/rand/v2"

// probability lets an object in by chance, whatever it is: what is asked for often comes in sooner or later, most of the rest
// is never written.
type probability struct {
	p    float64
	dice rand.PCG
}

func newProbability(s Spec) (admission, error) {
	p, err := s.float("p", 0, 1)
	if err != nil {
		return nil, err
	}
	return &probability{p: p, dice: *rand.NewPCG(s.Seed, 1)}, nil
}

func (a *probability) hit(uint32)                       {}
func (a *probability) admits(uint32, uint32, bool) bool { return chance(&a.dice) < a.p }

// chance returns a number from 0 to less than 1.
func chance(dice *rand.PCG) float64 { return float64(dice.Uint64()>>11) / (1 << 53) }
