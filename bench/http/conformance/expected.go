package main

import (
	"fmt"
	"os"
	"strings"
)

// expectation is a test that edgecache does not pass, and why.
type expectation struct {
	id, suite, profile, reason string
}

// readExpected reads the list: ID SUITE PROFILE REASON by lines, and comments.
func readExpected(name string) ([]expectation, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var list []expectation
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(line, " ", 4)
		if len(fields) < 4 {
			return nil, fmt.Errorf("%s:%d: want ID SUITE PROFILE REASON, got %q", name, i+1, line)
		}
		list = append(list, expectation{fields[0], fields[1], fields[2], fields[3]})
	}
	return list, nil
}

// applies reports whether the test is expected not to pass in a run of the suite with this profile.
func (e *expectation) applies(newer bool, profile string) bool {
	return (e.suite == "any" || e.suite == "package" && !newer) && (e.profile == "any" || e.profile == profile)
}

// compare returns the required and optimal tests that do not pass: those that are not expected, and the expectations of
// the others; and the expectations that are wrong by now.
func (r *result) compare(profile string, expected []expectation) (unexpected []test, known, mended []expectation) {
	byID := map[string]expectation{}
	for _, e := range expected {
		if e.applies(r.Newer, profile) {
			byID[e.id] = e
		}
	}
	for _, t := range r.Tests {
		e, listed := byID[t.ID]
		switch passed := t.Outcome == "pass"; {
		case t.Kind == "check": // neither is wrong
		case !passed && !listed:
			unexpected = append(unexpected, t)
		case !passed:
			known = append(known, e)
		case listed:
			mended = append(mended, e)
		}
	}
	return unexpected, known, mended
}
