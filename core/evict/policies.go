package evict

// policies are all that there are.
var policies = [...]Info{
	{
		Name: "2q", Title: "2Q", Paper: "Johnson and Shasha, VLDB 1994", Online: true,
		Params: map[string]string{"in": "0.25", "out": "0.5"}, build: newTwoQ,
	},
	{
		Name: "clock", Title: "Clock", Paper: "Corbató, MIT Project MAC, 1968", Online: true,
		Params: map[string]string{"bits": "1"}, build: newClock,
	},
	{
		Name: "fifo", Title: "FIFO", Paper: "Belady, IBM Systems Journal 5(2), 1966", Online: true,
		build: newFIFO,
	},
	{
		Name: "lfu", Title: "LFU", Paper: "Robinson and Devarakonda, SIGMETRICS 1990", Online: true,
		build: newLFU,
	},
	{
		Name: "lfuda", Title: "LFU-DA", Paper: "Dilley and Arlitt, IEEE Internet Computing 3(6), 1999", Online: true,
		build: newLFUDA,
	},
	{
		Name: "lifo", Title: "LIFO", Paper: "Coffman and Denning, Operating Systems Theory, 1973", Online: true,
		build: newLIFO,
	},
	{
		Name: "lru", Title: "LRU", Paper: "Mattson et al., IBM Systems Journal 9(2), 1970", Online: true,
		build: newLRU,
	},
	{
		Name: "mru", Title: "MRU", Paper: "Chou and DeWitt, VLDB 1985", Online: true,
		build: newMRU,
	},
	{
		Name: "random", Title: "Random", Paper: "Belady, IBM Systems Journal 5(2), 1966", Online: true, Random: true,
		build: newRandom,
	},
	{
		Name: "s3fifo", Title: "S3-FIFO", Paper: "Yang et al., SOSP 2023", Online: true,
		Params: map[string]string{"small": "0.1", "ghost": "0.9"}, build: newS3FIFO,
	},
	{
		Name: "sieve", Title: "SIEVE", Paper: "Zhang et al., NSDI 2024", Online: true,
		build: newSIEVE,
	},
	{
		Name: "slru", Title: "SLRU", Paper: "Karedla, Love and Wherry, Computer 27(3), 1994", Online: true,
		Params: map[string]string{"segments": "4"}, build: newSLRU,
	},
	{Name: "arc", Title: "ARC", Paper: "Megiddo and Modha, FAST 2003", Online: true, build: newARC},
	{Name: "car", Title: "CAR", Paper: "Bansal and Modha, FAST 2004", Online: true, build: newCAR},
	{
		Name: "lirs", Title: "LIRS", Paper: "Jiang and Zhang, SIGMETRICS 2002", Online: true,
		Params: map[string]string{"ghost": "10"}, build: newLIRS,
	},
	{
		Name: "clockproplus", Title: "CLOCK-Pro+", Paper: "Jiang et al., USENIX ATC 2005; Li, SYSTOR 2019", Online: true,
		build: newClockProPlus,
	},
	{
		Name: "wtinylfu", Title: "W-TinyLFU", Paper: "Einziger et al., ACM TOS 13(4), 2017", Online: true,
		Random: true, Params: map[string]string{"window": "0.01", "ghost": "4"}, build: newWTinyLFU,
	},
	{
		Name: "wtinylfu-adaptive", Title: "W-TinyLFU, adaptive", Paper: "Einziger et al., Middleware 2018",
		Online: true, Random: true, Params: map[string]string{"window": "0.01", "ghost": "4"}, build: newAdaptiveWTinyLFU,
	},
	{
		Name: "lruk", Title: "LRU-K", Paper: "O'Neil et al., SIGMOD 1993", Online: true,
		Params: map[string]string{"k": "2", "ghost": "1"}, build: newLRUK,
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
		Params: map[string]string{"sample": "64", "early": "8", "interval": "1048576"},
		build:  newLHD,
	},
	{
		Name: "cacheus", Title: "Cacheus", Paper: "Rodriguez et al., FAST 2021", Online: true, Random: true,
		build: newCacheus,
	},
}
