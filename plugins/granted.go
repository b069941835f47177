package plugins

import (
	"context"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/hostabi"
)

// grantedFunctions returns what the functions do that an operator grants.
func grantedFunctions() map[string]api.GoModuleFunc {
	return map[string]api.GoModuleFunc{
		hostabi.HostValueRead:    hostValueRead,
		hostabi.HostValueWrite:   hostValueWrite,
		hostabi.HostKVGet:        hostKVGet,
		hostabi.HostKVSet:        hostKVSet,
		hostabi.HostKVCAS:        hostKVCAS,
		hostabi.HostKVAdd:        hostKVAdd,
		hostabi.HostKVDelete:     hostKVDelete,
		hostabi.HostMetricDefine: hostMetricDefine,
		hostabi.HostCounterAdd:   hostCounterAdd,
		hostabi.HostGaugeSet:     hostGaugeSet,
		hostabi.HostHistRecord:   hostHistRecord,
		hostabi.HostSpanAttr:     hostSpanAttr,
	}
}

// features says to a guest what it was granted of what it needs.
func features(m *hostabi.Manifest) uint64 {
	var bits uint64
	for capability, bit := range map[string]uint64{
		"value": hostabi.FeatureValue, "kv": hostabi.FeatureKV, "metrics": hostabi.FeatureMetrics, "trace": hostabi.FeatureTrace,
	} {
		if m.NeedsCapability(capability) {
			bits |= bit
		}
	}
	return bits
}

// caller returns the instance that calls a host function.
func caller(ctx context.Context) *instance { return ctx.Value(callerKey{}).(*instance) }

// charge makes the guest pay for n bytes that the host copies or looks at for it. Few come with the call.
func (in *instance) charge(n int) {
	if n > freeBytes {
		in.tank.charge(int64(n / bytesPerUnit))
	}
}

const (
	freeBytes    = 256 // come with a call of the host
	bytesPerUnit = 4   // are copied or hashed in the time of a unit
)

// must fails the guest that called a host function as the ABI does not allow.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func hostValueRead(ctx context.Context, m api.Module, s []uint64) {
	in, to := caller(ctx), region(m, hostabi.HostValueRead, s[1], s[2])
	n := in.scope.read(uint32(s[0]), to)
	in.charge(n)
	s[0] = uint64(n)
}

func hostValueWrite(ctx context.Context, m api.Module, s []uint64) {
	in, value := caller(ctx), region(m, hostabi.HostValueWrite, s[0], s[1])
	in.charge(len(value))
	s[0] = 0
	if in.scope.write(value) {
		s[0] = 1
	}
}

func hostKVGet(ctx context.Context, m api.Module, s []uint64) {
	in, key := caller(ctx), region(m, hostabi.HostKVGet, s[0], s[1])
	to := region(m, hostabi.HostKVGet, s[2], s[3])
	n := in.kv.get(key, to)
	in.charge(min(max(n, 0), len(to)))
	s[0] = uint64(int64(n))
}

func hostKVSet(ctx context.Context, m api.Module, s []uint64) {
	in, key := caller(ctx), region(m, hostabi.HostKVSet, s[0], s[1])
	value := region(m, hostabi.HostKVSet, s[2], s[3])
	in.charge(len(value))
	s[0] = api.EncodeI32(in.kv.set(key, value, int64(s[4])))
}

func hostKVCAS(ctx context.Context, m api.Module, s []uint64) {
	in, key := caller(ctx), region(m, hostabi.HostKVCAS, s[0], s[1])
	var old []byte // nil expects no entry
	if int32(s[3]) != hostabi.KVNone {
		old = region(m, hostabi.HostKVCAS, s[2], s[3])
	}
	value := region(m, hostabi.HostKVCAS, s[4], s[5])
	in.charge(len(old) + len(value))
	s[0] = api.EncodeI32(in.kv.swap(key, old, value, int64(s[6])))
}

func hostKVAdd(ctx context.Context, m api.Module, s []uint64) {
	key := region(m, hostabi.HostKVAdd, s[0], s[1])
	s[0] = uint64(caller(ctx).kv.add(key, int64(s[2]), int64(s[3])))
}

func hostKVDelete(ctx context.Context, m api.Module, s []uint64) {
	key := region(m, hostabi.HostKVDelete, s[0], s[1])
	s[0] = api.EncodeI32(caller(ctx).kv.remove(key))
}

func hostMetricDefine(ctx context.Context, m api.Module, s []uint64) {
	id, err := caller(ctx).metrics.define(uint32(s[0]), region(m, hostabi.HostMetricDefine, s[1], s[2]))
	must(err)
	s[0] = api.EncodeI32(id)
}

func hostCounterAdd(ctx context.Context, _ api.Module, s []uint64) {
	metricOf(ctx, hostabi.HostCounterAdd, s[0], hostabi.MetricCounter).value.Add(s[1])
}

func hostGaugeSet(ctx context.Context, _ api.Module, s []uint64) {
	metricOf(ctx, hostabi.HostGaugeSet, s[0], hostabi.MetricGauge).value.Store(s[1])
}

func hostHistRecord(ctx context.Context, _ api.Module, s []uint64) {
	metricOf(ctx, hostabi.HostHistRecord, s[0], hostabi.MetricHistogram).record(s[1])
}

// metricOf returns the metric of a number and kind.
func metricOf(ctx context.Context, function string, id uint64, kind uint32) *metric {
	found, err := caller(ctx).metrics.at(function, uint32(id), kind)
	must(err)
	return found
}

func hostSpanAttr(ctx context.Context, m api.Module, s []uint64) {
	in, key := caller(ctx), region(m, hostabi.HostSpanAttr, s[0], s[1])
	value := region(m, hostabi.HostSpanAttr, s[2], s[3])
	if !hostabi.ValidName(key) {
		panic(badName(hostabi.HostSpanAttr, key))
	}
	in.scope.attribute(in.version.plugin.name, key, value)
}
