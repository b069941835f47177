package set

import (
	"crypto/sha256"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins"
)

// Info describes a plugin of the set.
type Info struct {
	Name    string
	Enabled bool
	Origin  Origin
	// Digest is of the module alone.
	Digest [sha256.Size]byte
	// Rollback says that there is a version to go back to.
	Rollback bool
	Manifest hostabi.Manifest
	Grants   plugins.Grants
	Stats    plugins.PluginStats
}

// List describes all plugins in order. It waits for calls under way.
func (s *Set) List() []Info {
	members := *s.members.Load()
	all := make([]Info, len(members))
	for i, m := range members {
		m = m.settled()
		all[i] = m.info()
	}
	return all
}

func (m member) info() Info {
	return Info{
		Name: m.plugin.Name(), Enabled: !m.disabled, Origin: m.current.Origin, Rollback: m.previous != nil,
		Digest: m.current.digest, Manifest: m.plugin.Manifest(), Grants: m.current.source().Grants,
		Stats: m.plugin.Stats(),
	}
}
