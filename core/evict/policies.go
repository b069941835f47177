package evict

// policies are all that there are.
var policies = [...]Info{
	{
		Name: "lru", Title: "LRU", Paper: "Mattson et al., IBM Systems Journal 9(2), 1970", Online: true,
		build: newLRU,
	},
}
