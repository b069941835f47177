package evict

// policies are all that there are.
var policies = [...]Info{
	{
		Name: "lru", Title: "LRU", Paper: "Mattson et al., IBM Systems Journal 9(2), 1970", Online: true,
		build: newLRU,
	},
	{Name: "arc", Title: "ARC", Paper: "Megiddo, Modha, FAST 2003", Online: true, build: newARC},
	{Name: "car", Title: "CAR", Paper: "Bansal, Modha, FAST 2004", Online: true, build: newCAR},
	{
		Name: "lirs", Title: "LIRS", Paper: "Jiang, Zhang, SIGMETRICS 2002", Online: true,
		Params: map[string]string{"memory": "10"}, build: newLIRS,
	},
	{
		Name: "clockproplus", Title: "CLOCK-Pro+", Paper: "Jiang, Chen, Zhang, USENIX ATC 2005; Li, SYSTOR 2019", Online: true,
		build: newClockProPlus,
	},
	{
		Name: "wtinylfu", Title: "W-TinyLFU", Paper: "Einziger, Friedman, Manes, ACM TOS 13(4), 2017", Online: true,
		Random: true, Params: map[string]string{"window": "0.01"}, build: newWTinyLFU,
	},
	{
		Name: "wtinylfu-adaptive", Title: "W-TinyLFU, adaptive", Paper: "Einziger, Eytan, Friedman, Manes, Middleware 2018",
		Online: true, Random: true, Params: map[string]string{"window": "0.01"}, build: newAdaptiveWTinyLFU,
	},
	{
		Name: "lruk", Title: "LRU-K", Paper: "O'Neil, O'Neil, Weikum, SIGMOD 1993", Online: true,
		Params: map[string]string{"k": "2", "memory": "1"}, build: newLRUK,
	},
}
