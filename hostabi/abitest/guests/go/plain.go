//go:build wasip1 && without_grants

package main

import edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"

// Without what an operator must grant, the verbs that need it pass.

func define([]byte) {}

func (asked) granted() edgecache.Action { return edgecache.Continue }

func (asked) reverse() {}
