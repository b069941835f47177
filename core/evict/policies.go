package evict

// policies are all that there are.
var policies = [...]Info{
	{
		Name: "lru", Title: "LRU", Paper: "Mattson et al., IBM Systems Journal 9(2), 1970", Online: true,
		build: newLRU,
	},
	{
		Name: "opt", Title: "OPT", Paper: "Belady, IBM Systems Journal 5(2), 1966",
		build: newOPT,
	},
	{
		Name: "gdsf", Title: "GDSF", Paper: "Cherkasova, HP Labs HPL-98-69, 1998", Online: true,
		build: newGDSF,
	},
	{
		Name: "lecar", Title: "LeCaR", Paper: "Vietri et al., HotStorage 2018", Online: true, Random: true,
		Params: map[string]string{"rate": "0.45", "discount": "0.005", "keep": "0"},
		build:  newLeCaR,
	},
	{
		Name: "hyperbolic", Title: "Hyperbolic", Paper: "Blankstein et al., USENIX ATC 2017", Online: true, Random: true,
		Params: map[string]string{"sample": "64"},
		build:  newHyperbolic,
	},
	{
		Name: "lhd", Title: "LHD", Paper: "Beckmann et al., NSDI 2018", Online: true, Random: true,
		Params: map[string]string{"sample": "32", "interval": "1048576"},
		build:  newLHD,
	},
	{
		Name: "cacheus", Title: "Cacheus", Paper: "Rodriguez et al., FAST 2021", Online: true, Random: true,
		build: newCacheus,
	},
}
