//! The conformance guest: it does what keys ask for. ../../README.md says what that is.

const std = @import("std");
const ec = @import("edgecache");

comptime {
    ec.plugin(@This());
}

pub const panic = ec.panic;

const out_size = 1 << 17; // room for what is made
const chunk = 4096; // bytes that are read of values and entries
const pairs = 32; // rows of statistics
const cookie = 0x0123456789abcdef;

fn is(a: []const u8, b: []const u8) bool {
    return std.mem.eql(u8, a, b);
}

/// Takes what stands before the first c, or all, off the text, and the c with it.
fn cut(text: *[]const u8, c: u8) []const u8 {
    const n = std.mem.indexOfScalar(u8, text.*, c) orelse text.len;
    const head = text.*[0..n];
    text.* = text.*[@min(n + 1, text.len)..];
    return head;
}

/// A decimal number that takes all of the text.
fn number(text: []const u8) ?i64 {
    if (text.len == 0 or text[0] == '+' or std.mem.indexOfScalar(u8, text, '_') != null) return null;
    return std.fmt.parseInt(i64, text, 10) catch null;
}

fn count(text: []const u8, most: i64) ?u32 {
    const n = number(text) orelse return null;
    return if (n >= 0 and n <= most) @intCast(n) else null;
}

/// The number that the first 16 hexadecimal digits are.
fn hex(text: []const u8) ?ec.Action {
    if (text.len < 16) return null;
    const v = std.fmt.parseInt(u64, text[0..16], 16) catch return null;
    return @bitCast(v);
}

// What is made.

var out: []u8 = undefined;
var made: usize = 0;

fn put(text: []const u8) void {
    ec.copy(out[made..][0..text.len], text);
    made += text.len;
}

fn putNumber(v: i64) void {
    var buf: [20]u8 = undefined;
    if (v < 0) put("-");
    put(ec.decimal(&buf, if (v < 0) 0 -% @as(u64, @bitCast(v)) else @intCast(v)));
}

fn putHex(v: u64) void {
    for (0..16) |i| put(&.{"0123456789abcdef"[@intCast(v >> @intCast(60 - 4 * i) & 15)]});
}

fn putField(name: []const u8, v: i64) void {
    put(name);
    putNumber(v);
}

fn done(code: u8) ec.Action {
    return ec.action(code, out[0..made]);
}

fn tell(v: i64) ec.Action {
    putNumber(v);
    return done(ec.action_respond);
}

fn tellText(text: []const u8) ec.Action {
    put(text);
    return done(ec.action_respond);
}

// What init left.

var kept: [1024]u8 = undefined;
var kept_len: usize = 0;
var granted: u64 = 0;
var calls: ?i32 = null;
var level: ?i32 = null;
var times: ?i32 = null;
var defined: i64 = 0;

pub fn init(config: []const u8, features: u64) ?[]const u8 {
    out = ec.answerOf(out_size) orelse return "no memory";
    if (behind(config, "{\"refuse\":\"")) |rest| {
        var text = rest;
        return cut(&text, '"');
    }
    if (behind(config, "{\"trap\":") != null) @trap();
    granted = features;
    kept_len = @min(config.len, kept.len);
    ec.copy(kept[0..kept_len], config[0..kept_len]);
    calls = define(ec.metric_counter, "calls");
    level = define(ec.metric_gauge, "level");
    times = define(ec.metric_histogram, "times");
    if (behind(config, "{\"metrics\":")) |rest| {
        var text = rest;
        for (0..count(cut(&text, '}'), 1000) orelse 0) |i| {
            made = 0;
            putField("extra-", @intCast(i));
            _ = define(ec.metric_counter, out[0..made]);
        }
    }
    return null;
}

fn behind(text: []const u8, word: []const u8) ?[]const u8 {
    return if (std.mem.startsWith(u8, text, word)) text[word.len..] else null;
}

fn define(kind: u32, name: []const u8) ?i32 {
    const metric = ec.metricDefine(kind, name);
    defined += @intFromBool(metric != null);
    return metric;
}

// Statistics.

/// The columns of the manifest, in their order.
const Row = extern struct {
    label: u64,
    before: u64 = 0,
    after: u64 = 0,
    events: u64 = 0,
    continued: u64 = 0,
    hits: u64 = 0,
    bytes: u64 = 0,
    hashed: u64 = 0,
    ttl: u64 = 0,
    tier: u64 = 0,
    time: u64 = 0,
    shortest: u64 = std.math.maxInt(u64),
    elapsed: [ec.histogram_slots]u64 = [_]u64{0} ** ec.histogram_slots,
};

var rows: [pairs + 1]Row = undefined; // the last takes what has no row, and is not reported
var row_count: usize = 0;
var idles: i64 = 0;

fn rowOf(op: u32, namespace_id: u32) *Row {
    const label = ec.label(op, namespace_id & 0xffff);
    for (rows[0..row_count]) |*r| {
        if (r.label == label) return r;
    }
    const r = &rows[row_count];
    r.* = .{ .label = label };
    if (row_count < pairs) row_count += 1;
    return r;
}

pub fn observe(events: []const ec.Event) void {
    for (events) |*e| {
        const r = rowOf(e.op & ~@as(u8, ec.event_continued), e.namespace_id);
        r.events += 1;
        r.continued += @intFromBool(e.op & ec.event_continued != 0);
        r.hits += @intFromBool(e.result & ec.outcome_mask == ec.outcome_hit);
        r.bytes += e.value_size;
        r.hashed += @intFromBool(e.key_hash != 0);
        r.ttl = @max(r.ttl, e.ttl);
        r.tier = @max(r.tier, e.result >> ec.tier_shift);
        r.time = @max(r.time, e.time);
        r.elapsed[32 - @as(u32, @clz(e.elapsed))] += 1; // by the bit length
    }
}

pub fn idle() void {
    idles += 1;
}

pub fn stats() []const Row {
    return rows[0..row_count];
}

// before.

pub fn before(call: ec.Call) ec.Action {
    const r = rowOf(call.op, ec.header().namespace_id);
    r.before += 1;
    r.shortest = @min(r.shortest, call.key.len);
    var arg: []const u8 = begin(call.key);
    const verb = cut(&arg, ':');
    return changed(call, verb, arg) orelse asked(verb, arg) orelse valued(verb, arg) orelse
        stored(verb, arg) orelse measured(verb, arg) orelse .{};
}

/// Begins to make something.
fn begin(key: []const u8) []const u8 {
    out = ec.answerOf(out_size) orelse @trap();
    made = 0;
    return key;
}

/// Does what verbs ask for that need nothing of the host.
fn changed(call: ec.Call, verb: []const u8, arg: []const u8) ?ec.Action {
    if (is(verb, "upper")) return upper(call.key);
    if (is(verb, "cut")) return ec.action(ec.action_key, arg);
    if (is(verb, "long")) return long(count(arg, 65536) orelse return null);
    if (is(verb, "args")) return tellCall(call);
    if (is(verb, "respond")) return ec.action(ec.action_respond, arg);
    if (is(verb, "deny")) return ec.deny(arg);
    if (is(verb, "miss")) return .{ .code = ec.action_miss };
    if (is(verb, "raw")) return hex(arg);
    if (is(verb, "trap")) @trap();
    if (is(verb, "cookie")) return withCookie(.{});
    if (is(verb, "cookie-respond")) return withCookie(ec.action(ec.action_respond, arg));
    if (is(verb, "cookie-key")) {
        put("cookie:");
        put(arg);
        return withCookie(done(ec.action_key));
    }
    return patched(verb, arg);
}

fn patched(verb: []const u8, arg: []const u8) ?ec.Action {
    var list = ec.Patches{};
    if (is(verb, "ttl")) {
        list.ttl(number(arg) orelse return null);
    } else if (is(verb, "value")) {
        list.add(ec.field_value, &.{arg});
    } else if (is(verb, "ns")) {
        list.add(ec.field_namespace, &.{arg});
    } else if (is(verb, "ext")) {
        list.add(ec.field_key, &.{arg});
        list.ttl(90_000);
        list.add(ec.field_namespace, &.{"ext"});
    } else if (is(verb, "last")) {
        list.add(ec.field_key, &.{"first"});
        list.add(ec.field_key, &.{arg});
    } else return null;
    return list.action();
}

fn upper(key: []u8) ec.Action {
    for (key) |*c| c.* = std.ascii.toUpper(c.*);
    return ec.action(ec.action_key, key);
}

fn long(n: u32) ec.Action {
    @memset(out[0..n], 'x');
    return ec.action(ec.action_key, out[0..n]);
}

fn tellCall(call: ec.Call) ec.Action {
    putField("args op=", call.op);
    putField(" key=", call.key.len);
    putField(" value=", call.value_len);
    putField(" ttl=", call.ttl_ms);
    putField(" flags=", call.flags);
    putHeader(call.key);
    return done(ec.action_key);
}

fn putHeader(key: []const u8) void {
    put(" ns=");
    put(ec.namespace(key));
    putField(" batch=", ec.header().batch_index);
    putField("/", ec.header().batch_len);
}

fn withCookie(action: ec.Action) ec.Action {
    ec.header().cookie = cookie;
    var with = action;
    with.cookie = true;
    return with;
}

/// Does what verbs ask for that need what everyone gets.
fn asked(verb: []const u8, all: []const u8) ?ec.Action {
    var arg = all;
    if (is(verb, "config")) return tellText(kept[0..kept_len]);
    if (is(verb, "features")) return tell(@bitCast(granted));
    if (is(verb, "idle")) return tell(idles);
    if (is(verb, "hash")) {
        putHex(ec.hash64(arg));
        return done(ec.action_respond);
    }
    if (is(verb, "clock")) {
        putNumber(ec.now());
        putField(" ", ec.mono());
        putField(" ", ec.mono());
        return done(ec.action_respond);
    }
    if (is(verb, "random")) {
        made = count(arg, ec.max_random) orelse return null;
        ec.random(out[0..made]);
        return done(ec.action_respond);
    }
    if (is(verb, "log-enabled")) return tell(@intFromBool(ec.logEnabled(count(arg, ec.log_error) orelse return null)));
    if (is(verb, "log")) {
        const at = count(cut(&arg, ','), ec.log_error) orelse return null;
        ec.log(at, arg);
    }
    return null;
}

fn valued(verb: []const u8, all: []const u8) ?ec.Action {
    var arg = all;
    if (is(verb, "value-at")) {
        const offset = count(cut(&arg, ','), std.math.maxInt(u32)) orelse return null;
        const n = count(arg, chunk) orelse return null;
        return ec.action(ec.action_key, ec.valueRead(offset, out[0..n]));
    }
    if (is(verb, "value-put")) {
        putNumber(@intFromBool(ec.valueWrite(arg)));
        return done(ec.action_key);
    }
    if (is(verb, "value-add")) {
        made = ec.valueRead(0, out[0..chunk]).len;
        put(arg);
        _ = ec.valueWrite(out[0..made]);
    }
    return null;
}

fn stored(verb: []const u8, all: []const u8) ?ec.Action {
    var arg = all;
    if (!std.mem.startsWith(u8, verb, "kv-")) return null;
    if (is(verb, "kv-fill")) return fill(arg);
    const key = cut(&arg, ',');
    if (is(verb, "kv-delete")) return tell(if (ec.kvDelete(key)) ec.kv_ok else ec.kv_absent);
    if (is(verb, "kv-get")) return tellEntry(key, count(arg, chunk) orelse return null);
    const first = cut(&arg, ',');
    if (is(verb, "kv-add")) {
        const delta = number(first) orelse return null;
        const ttl = number(arg) orelse return null;
        return tell(ec.kvAdd(key, delta, ttl) catch ec.kv_failed);
    }
    if (is(verb, "kv-set")) return tellResult(ec.kvSet(key, first, number(arg) orelse return null));
    if (!is(verb, "kv-cas")) return null;
    const new = cut(&arg, ',');
    return tellResult(ec.kvCas(key, if (is(first, "-")) null else first, new, number(arg) orelse return null));
}

fn tellResult(result: ec.KVError!void) ec.Action {
    result catch |err| return tell(if (err == error.Differs) ec.kv_differs else ec.kv_full);
    return tell(ec.kv_ok);
}

fn tellEntry(key: []const u8, n: u32) ec.Action {
    const entry = out[out_size - chunk ..][0..n];
    const len = ec.kvGet(key, entry);
    putNumber(if (len) |l| @intCast(l) else ec.kv_absent);
    put("=");
    return tellText(entry[0..@min(len orelse 0, n)]);
}

fn fill(all: []const u8) ?ec.Action {
    var arg = all;
    const key = out[0 .. count(cut(&arg, ','), ec.max_kv_key + 1) orelse return null];
    const value = out[key.len..][0 .. count(arg, ec.max_kv_value + 1) orelse return null];
    @memset(key, 'k');
    @memset(value, 'v');
    return tellResult(ec.kvSet(key, value, 0));
}

fn measured(verb: []const u8, all: []const u8) ?ec.Action {
    var arg = all;
    if (is(verb, "metrics")) return tell(defined);
    if (is(verb, "metric-again")) return tell(@intFromBool(ec.metricDefine(ec.metric_counter, "calls").? == calls.?));
    if (is(verb, "count")) ec.counterAdd(calls orelse return null, @bitCast(number(arg) orelse return null));
    if (is(verb, "gauge")) ec.gaugeSet(level orelse return null, number(arg) orelse return null);
    if (is(verb, "hist")) ec.histRecord(times orelse return null, @bitCast(number(arg) orelse return null));
    if (is(verb, "span")) {
        const key = cut(&arg, ',');
        ec.spanAttr(key, arg);
    }
    return null;
}

// after.

pub fn after(call: ec.Outcome) ec.Action {
    rowOf(call.op, ec.header().namespace_id).after += 1;
    var arg: []const u8 = begin(call.key);
    const verb = cut(&arg, ':');
    if (is(verb, "after-raw")) return hex(arg) orelse .{};
    if (is(verb, "after-trap")) @trap();
    if (call.result & ec.outcome_mask != ec.outcome_hit) return .{};
    if (is(verb, "cookie") or is(verb, "cookie-respond") or is(verb, "tell")) return tellOutcome(call);
    if (is(verb, "after-respond")) return ec.action(ec.action_respond, arg);
    if (is(verb, "after-elapsed")) return tell(@intCast(call.elapsed_ns));
    if (is(verb, "after-reverse")) {
        const value = ec.valueRead(0, out[0..chunk]);
        std.mem.reverse(u8, value);
        _ = ec.valueWrite(value);
    }
    return .{};
}

fn tellOutcome(call: ec.Outcome) ec.Action {
    putField("after op=", call.op);
    put(" key=");
    put(call.key);
    putField(" result=", call.result);
    putField(" value=", call.value_len);
    put(" cookie=");
    putHex(ec.header().cookie);
    putHeader(call.key);
    return done(ec.action_respond);
}
