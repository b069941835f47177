//! timing measures how long commands take, by operation. See ../README.md.

const std = @import("std");
const ec = @import("edgecache");

comptime {
    ec.plugin(@This());
}

pub const panic = ec.panic;

const slots = ec.histogram_slots;

/// What is kept of an operation's times, in nanoseconds: as little as an event can be added to quickly.
const Times = struct {
    total: u64 = 0,
    max: u32 = 0,
    room: u32 = 0, // what the least is below the greatest number
    buckets: [slots]u64 = [_]u64{0} ** slots,
};

/// The columns of the manifest, but for the mean, which the host derives from the first two.
const Row = extern struct {
    label: u64,
    count: u64 = 0,
    total: u64 = 0,
    min: u64 = std.math.maxInt(u64), // no least time yet
    max: u64 = 0,
    buckets: [slots]u64 = [_]u64{0} ** slots,

    /// Adds an operation's times and returns how many there are.
    fn add(r: *Row, t: *const Times) u64 {
        var count: u64 = 0;
        for (&r.buckets, t.buckets) |*sum, n| {
            count += n;
            sum.* += n;
        }
        r.count += count;
        r.total += t.total;
        if (count > 0) r.min = @min(r.min, std.math.maxInt(u32) - t.room);
        r.max = @max(r.max, t.max);
        return count;
    }
};

var ops = [_]Times{.{}} ** ec.op_count;
var rows: [ec.op_count]Row = undefined; // the first is that of all: no operation is number 0

pub fn observe(events: []const ec.Event) void {
    for (events) |*e| {
        if (e.op >= ec.op_count) continue; // also the further keys of a command
        const t = &ops[e.op];
        const ns = e.elapsed;
        t.total += ns;
        t.max = @max(t.max, ns);
        t.room = @max(t.room, std.math.maxInt(u32) - ns);
        t.buckets[32 - @as(u32, @clz(ns))] += 1; // the bit length of ns
    }
}

/// The row of everything, then those of operations that took place, in their order.
pub fn stats() []const Row {
    var n: usize = 1;
    rows[0] = .{ .label = ec.label(0, ec.namespace_all) };
    for (1..ec.op_count) |op| {
        rows[n] = .{ .label = ec.label(@intCast(op), ec.namespace_all) };
        if (rows[n].add(&ops[op]) == 0) continue;
        _ = rows[0].add(&ops[op]);
        n += 1;
    }
    return rows[0..n];
}
