//go:build !wasip1

package edgecache

// Outside of a guest there is no host to ask. These are here so that plugins can be compiled, and their parts tested,
// anywhere.

const noHost = "edgecache: the host's functions are there in a plugin alone"

func hostLog(int32, string)                               { panic(noHost) }
func hostLogEnabled(int32) uint32                         { panic(noHost) }
func hostNow() int64                                      { panic(noHost) }
func hostMono() int64                                     { panic(noHost) }
func hostRandom(*byte, uint32)                            { panic(noHost) }
func hostHash(string) uint64                              { panic(noHost) }
func hostValueRead(uint32, *byte, uint32) uint32          { panic(noHost) }
func hostValueWrite(string) uint32                        { panic(noHost) }
func hostKVGet(string, *byte, uint32) int64               { panic(noHost) }
func hostKVSet(_, _ string, _ int64) int32                { panic(noHost) }
func hostKVCAS(string, *byte, int32, string, int64) int32 { panic(noHost) }
func hostKVAdd(_ string, _, _ int64) int64                { panic(noHost) }
func hostKVDelete(string) int32                           { panic(noHost) }
func hostMetricDefine(int32, string) int32                { panic(noHost) }
func hostCounterAdd(int32, uint64)                        { panic(noHost) }
func hostGaugeSet(int32, int64)                           { panic(noHost) }
func hostHistRecord(int32, uint64)                        { panic(noHost) }
func hostSpanAttr(_, _ string)                            { panic(noHost) }
