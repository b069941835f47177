//! edgecache.zig is all that a guest in Zig needs: the numbers and layouts of the ABI, version 1, the host's functions
//! and the exports. docs/ABI.md explains the calls.
//!
//!     zig build-lib guest.zig -dynamic -target wasm32-freestanding -O ReleaseFast -rdynamic -fstrip --stack 16384 \
//!         --mod edgecache::hostabi/sdk/zig/edgecache.zig --deps edgecache -femit-bin=guest.wasm
//!
//! (the flags of Zig 0.12.0-dev.1286; without -fstrip functions keep their names, and the module its debug sections). A guest
//! is a file whose public functions the host calls, those of them that it has:
//!
//!     const ec = @import("edgecache");
//!     comptime { ec.plugin(@This()); }
//!     pub const panic = ec.panic;              // for -O ReleaseSafe: its manifest then needs "log"
//!
//!     pub fn init(config: []const u8, features: u64) ?[]const u8    // an error text, or null where all is well
//!     pub fn before(call: ec.Call) ec.Action
//!     pub fn after(call: ec.Outcome) ec.Action
//!     pub fn observe(events: []const ec.Event) void
//!     pub fn stats() []const Row                                    // Row: an extern struct of u64, the label first
//!     pub fn idle() void
//!
//! Nothing here allocates, but for the buffers of long keys and answers. Only what is used gets into the module.

const std = @import("std");

/// Reads configurations, and patterns in them.
pub const config = @import("config.zig");
pub const Glob = @import("glob.zig");
pub const message = config.message;
pub const decimal = config.decimal;

// generated from hostabi by make docs: begin

// The call buffer that ec_buf returns: a header, then the key, then the namespace's path.
pub const buf_cookie = 0; // u64: in ec_before written by the guest (with action_cookie), in ec_after what it wrote, else 0
pub const buf_namespace_len = 8; // u32: length of the namespace's path, which follows the key; 0 is the root
pub const buf_namespace_id = 12; // u32: number of the namespace, stable while the process lives
pub const buf_batch_index = 16; // u32: which key of a command on many this is
pub const buf_batch_len = 20; // u32: how many keys the command has
pub const buf_key = 64; // the key's bytes
// min_buf is the smallest buffer that the host asks ec_buf for.
pub const min_buf = 1024;

// TTL values that are no milliseconds, in ec_before's ttl_ms and in field_ttl.
pub const ttl_default = 0;
pub const ttl_none = -1;
pub const ttl_keep = -2;

// Flags of ec_before.

// call_batch is set where the command is on many keys: the guest is called for each.
pub const call_batch = 1;

// An action is what ec_before and ec_after return: 0 goes on unchanged; else
//
//     action<<56 | cookie<<55 | offset<<32 | length
//
// where offset (23 bits) is relative to the call buffer, and the bytes there belong to the guest: the host copies them
// at once. Cookie says that the guest wrote the header's cookie; it may stand alone.
pub const action_none = 0; // go on
pub const action_key = 1; // before: the bytes are the new key
pub const action_respond = 2; // before: the bytes are the value, the tiers are not asked. After: the bytes replace the value read
pub const action_deny = 3; // before: the command is refused and the bytes are the reason
pub const action_miss = 4; // before: a read misses, a write is skipped
pub const action_ext = 5; // before: the bytes are a list of patches
pub const action_shift = 56;
pub const action_cookie = 1 << 55;
pub const offset_shift = 32;
pub const offset_mask = 0x7fffff;
pub const length_mask = 0xffffffff;

// A patch of action_ext is a u8 field, a u32 length and that many bytes.
pub const field_key = 1; // the new key
pub const field_ttl = 2; // i64 milliseconds or a TTL constant
pub const field_value = 3; // the new value of a write
pub const field_namespace = 4; // the path of the namespace to move to
pub const patch_header = 5; // bytes before a patch's payload

// An event, 32 bytes.
pub const event_key_hash = 0; // u64: 0 unless the manifest needs "hash"
pub const event_time = 8; // u64: unix nanoseconds at the end of the command; 0 unless the manifest needs "clock"
pub const event_elapsed = 16; // u32: nanoseconds the command took; 0 unless the manifest needs "clock"
pub const event_value_size = 20; // u32: length of the value read or written
pub const event_ttl = 24; // u32: seconds a write asked for, rounded up; 0 default, 0xffffffff none or kept
pub const event_namespace = 28; // u16: number of the namespace
pub const event_op = 30; // u8: Op, with event_continued for every key of a command but the first
pub const event_result = 31; // u8: Outcome in bits 0-3, the tier that answered (1 is the nearest, 0 none) in bits 4-7
pub const event_size = 32;
pub const event_continued = 0x80;
pub const outcome_mask = 0x0f;
pub const tier_shift = 4;
// event_batch is how many events the host hands over at most, and what it asks ec_events for.
pub const event_batch = 256;

// The statistics block of ec_stats: rows of u64 slots. The first slot of a row is its label, the others are the columns
// of the manifest's "stats" in their order, a histogram taking histogram_slots.
pub const label_op = 0; // bits 0-7 of the label: the Op, 0 is all of them
pub const label_namespace = 8; // bits 8-23 of the label: the namespace's number, or a Namespace constant
pub const namespace_all = 0xffff;
pub const namespace_other = 0xfffe; // those that had no row left
// histogram_slots is how many slots a log2 histogram takes: slot i counts values v with bit length i, the last also
// all above. So slot 0 counts zeros, slot i (from 1) values in [2^(i-1), 2^i).
pub const histogram_slots = 40;
// max_stat_rows is how many rows a guest may report.
pub const max_stat_rows = 4096;

// The operations.
pub const op_get = 1;
pub const op_get_many = 2;
pub const op_set = 3;
pub const op_set_many = 4;
pub const op_add = 5;
pub const op_replace = 6;
pub const op_compare_and_swap = 7;
pub const op_append = 8;
pub const op_prepend = 9;
pub const op_increment = 10;
pub const op_decrement = 11;
pub const op_exists = 12;
pub const op_ttl = 13;
pub const op_expire = 14;
pub const op_delete = 15;
pub const op_delete_many = 16;
pub const op_clear = 17;
pub const op_keys = 18;
pub const op_raw = 19;
pub const op_count = 20;

// The outcomes, in events and in ec_after's result (there also with the tier above them).
pub const outcome_none = 0;
pub const outcome_hit = 1;
pub const outcome_miss = 2;
pub const outcome_stored = 3;
pub const outcome_not_stored = 4;
pub const outcome_bypass = 5;
pub const outcome_denied = 6;
pub const outcome_error = 7;

// Levels of log.
pub const log_debug = 0;
pub const log_info = 1;
pub const log_warn = 2;
pub const log_error = 3;

// What the functions of capability "kv" return beside lengths and numbers. Entries are the plugin's own: all its instances
// and versions see the same ones, and they end with it. A number of kv_add is an entry of 8 bytes. A time to live
// is in milliseconds, 0 or below is none.
pub const kv_ok = 0;
pub const kv_absent = -1; // there is no such entry
pub const kv_full = -2; // the plugin's share is used up, or key or value are too long
pub const kv_differs = -3; // the entry is not the expected one
pub const kv_none = -1; // as a length: no entry is expected
pub const kv_failed = -0x8000000000000000; // of kv_add: the entry is no number, or kv_full

// Kinds of metric_define.
pub const metric_counter = 0;
pub const metric_gauge = 1;
pub const metric_histogram = 2;

// Bits of ec_init's features, which say what the host has granted besides clock, hash, log and rng.
pub const feature_value = 1;
pub const feature_kv = 2;
pub const feature_metrics = 4;
pub const feature_trace = 8;

// max_random is how many bytes random gives at once.
pub const max_random = 4096;
// max_log is how much of a text log takes; the rest is cut off.
pub const max_log = 4096;
// max_kv_key is how long a key of capability "kv" may be.
pub const max_kv_key = 1024;
// max_kv_value is how long a value of capability "kv" may be.
pub const max_kv_value = 65536;
// max_metrics bounds the metrics of a plugin. Their names are 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit.
pub const max_metrics = 64;
// max_span_attrs bounds the attributes of one call, whose keys are named as metrics are.
pub const max_span_attrs = 16;
// max_span_value is how much of an attribute's value is taken; the rest is cut off.
pub const max_span_value = 256;

// The spec of the cache that ec_policy_init finds at the beginning of the call buffer.
pub const spec_capacity = 0; // u64: how much fits: objects, or bytes with spec_bytes
pub const spec_seed = 8; // u64: of what the policy chooses at random
pub const spec_objects = 16; // u32: ids go from 0 to one below
pub const spec_most = 20; // u32: how many objects can be resident at once
pub const spec_batch = 24; // u32: how many requests a call of ec_policy_batch has at most
pub const spec_flags = 28; // u32: spec_bytes, or 0
pub const spec_params_len = 32; // u32: length of the parameters
pub const spec_params = 36; // the parameters: a JSON object of strings

// Flags of spec_flags.

// spec_bytes says that sizes count. Else every object counts 1.
pub const spec_bytes = 1;

// The frame, whose address ec_policy_init returns: addresses of buffers that stay where they are.
pub const frame_ids = 0; // u32: of spec_batch u32, the objects that are asked for
pub const frame_sizes = 4; // u32: of spec_batch u32, their sizes; used with spec_bytes alone
pub const frame_hits = 8; // u32: of a bit for each of spec_batch requests, in u32 from the lowest bit on
pub const frame_victims = 12; // u32: of spec_most+spec_batch victims
pub const frame_reserved = 16; // u32: 0
pub const frame_size = 20;

// A victim, 8 bytes.
pub const victim_at = 0; // u32: index of the request that it makes room for, from 0
pub const victim_id = 4; // u32: the object
pub const victim_size = 8;

// max_policy_text is how long the text may be that says why ec_policy_init refuses, the 0 at its end included.
pub const max_policy_text = 1024;

// The phases of an exchange, of ec_http.
pub const http_phase_request = 1; // ahead of everything
pub const http_phase_key = 2; // makes the key
pub const http_phase_lookup = 3; // a stored response was found
pub const http_phase_response = 4; // the origin's header has come
pub const http_phase_admit = 5; // a response is about to take room
pub const http_phase_deliver = 6; // ahead of the header that the client gets
pub const http_phase_count = 7;

// The frame that ec_http finds at the beginning of the call buffer. A string is a u32 offset from the beginning of the frame
// and, 4 bytes on, a u32 length. What a phase has no part in is 0.
pub const http_frame_length = 0; // u32: of the whole frame
pub const http_frame_phase = 4; // u8: as the parameter
pub const http_frame_method_number = 5; // u8: an HTTPMethod
pub const http_frame_scheme = 6; // u8: 0 http, 1 https
pub const http_frame_flags = 7; // u8: sum of HTTPFlag
pub const http_frame_status = 8; // u16: of the response
pub const http_frame_outcome = 10; // u8: in deliver an HTTPOutcome
pub const http_frame_family = 11; // u8: 4 or 6, of the client's address; 0 if that is not known
pub const http_frame_reserved = 12; // u32
pub const http_frame_method = 16; // string
pub const http_frame_host = 24; // string: in lower case, as it goes into keys
pub const http_frame_target = 32; // string: path and query; in key as the plugins ahead left it
pub const http_frame_request_lines = 40; // u32 offset of the request's lines, and their number in a u32
pub const http_frame_response_lines = 48; // u32 offset of the response's lines, and their number in a u32
pub const http_frame_client = 56; // 16 bytes: the client's address, of IPv4 the first 4
pub const http_frame_age = 72; // i64: milliseconds that the stored response is old
pub const http_frame_ttl = 80; // i64: milliseconds that the response is fresh from now on; a stored one that is stale, below 0
pub const http_frame_swr = 88; // i64: milliseconds behind that in which it may be used while it is validated
pub const http_frame_sie = 96; // i64: milliseconds behind that in which it may be used if the origin fails
pub const http_frame_body = 104; // i64: length of the body, -1 if it is not known
pub const http_frame_key_hash = 112; // u64: in admit
pub const http_frame_frequency = 120; // u32: in admit about how often the key was asked for lately, 0 if that is not known
pub const http_frame_strings = 128; // lines, then strings

// A line of a header, 12 bytes: those of the fields that the manifest names, in its order, each as often as it is there.
pub const http_line_name = 0; // u16: index in the manifest's "headers" or "response_headers"
pub const http_line_offset = 4; // u32: where the value is, from the beginning of the frame
pub const http_line_length = 8; // u32
pub const http_line_size = 12;

// Bits of http_frame_flags.
pub const http_flag_barred = 1; // in response: no-store, private or Authorization forbid to keep it
pub const http_flag_store = 2; // in response: it is kept, unless a verdict says otherwise

// Methods.
pub const http_method_other = 0;
pub const http_method_get = 1;
pub const http_method_head = 2;
pub const http_method_post = 3;
pub const http_method_put = 4;
pub const http_method_delete = 5;
pub const http_method_patch = 6;
pub const http_method_options = 7;
pub const http_method_count = 8;

// Where an answer comes from.
pub const http_outcome_none = 0;
pub const http_outcome_hit = 1; // stored and fresh
pub const http_outcome_stale = 2; // stored and stale
pub const http_outcome_revalidated = 3; // stored, and validated for this request
pub const http_outcome_miss = 4; // the origin's
pub const http_outcome_collapsed = 5; // the origin's, fetched for another request
pub const http_outcome_bypass = 6; // the origin's, by the cache
pub const http_outcome_hook = 7; // a plugin's
pub const http_outcome_error = 8; // the cache's own
pub const http_outcome_count = 9;

// A verdict is a list of patches: a u8 field, a u32 length and that many bytes, without gaps. An edit's bytes are a u16 length
// of the name, the name and the value.
pub const http_field_action = 1; // request: u8 HTTPAction, u8 0, u16 status
pub const http_field_location = 2; // request: where redirect goes
pub const http_field_body = 3; // request: of deny and synth
pub const http_field_set = 4; // request, response, deliver: edit, one line in the place of all of that name
pub const http_field_add = 5; // request, response, deliver: edit, one more line
pub const http_field_remove = 6; // request, response, deliver: the name of a field that goes
pub const http_field_target = 7; // key: path and query in the place of the request's
pub const http_field_hide = 8; // key: no bytes: the origin gets the request's own target
pub const http_field_extra = 9; // key: bytes that are added to the key
pub const http_field_vary = 10; // key: edit, a value in the place of the request's where Vary names the field
pub const http_field_lookup = 11; // lookup: u8 HTTPLookup
pub const http_field_store = 12; // response: u8, 1 keeps it and 0 does not
pub const http_field_ttl = 13; // response: i64 milliseconds
pub const http_field_swr = 14; // response: i64 milliseconds
pub const http_field_sie = 15; // response: i64 milliseconds
pub const http_field_tag = 16; // response: a tag, for purging
pub const http_field_refuse = 17; // admit: no bytes: it is not kept
pub const http_field_count = 18;

// What a request comes to.
pub const http_action_pass = 0;
pub const http_action_bypass = 1; // goes on to the origin by the cache
pub const http_action_deny = 2; // is answered with a status from 400 to 599 and a body
pub const http_action_redirect = 3; // is answered with a status 301, 302, 303, 307 or 308 and a location
pub const http_action_synth = 4; // is answered with a status from 200 to 599, a header and a body
pub const http_action_count = 5;

// What a stored response is used for.
pub const http_lookup_use = 0; // as HTTP has it
pub const http_lookup_revalidate = 1; // it is validated, even if it is fresh
pub const http_lookup_miss = 2; // another one is fetched
pub const http_lookup_count = 3;

// An event of HTTP, 32 bytes, of ec_observe.
pub const http_event_key_hash = 0; // u64: tells keys apart while the process lives
pub const http_event_time = 8; // u64: unix nanoseconds at the end of the exchange
pub const http_event_elapsed = 16; // u32: microseconds that it took
pub const http_event_size = 20; // u32: bytes of body that the client got
pub const http_event_age = 24; // u32: seconds that the stored response was old
pub const http_event_status = 28; // u16
pub const http_event_method = 30; // u8: an HTTPMethod
pub const http_event_outcome = 31; // u8: an HTTPOutcome

// Limits of frames and verdicts, in bytes, or how many.
pub const max_http_frame = 65536; // a longer one is not shown to the guest
pub const max_http_verdict = 1 << 17; // as a whole
pub const max_http_body = 65536;
pub const max_http_target = 32768;
pub const max_http_extra = 1024;
pub const max_http_edits = 64;
pub const max_http_vary = 16;
pub const max_http_tags = 64;
pub const max_http_tag = 256;

// generated from hostabi by make docs: end

/// What to do with a key. The default goes on unchanged.
pub const Action = packed struct(u64) {
    len: u32 = 0,
    offset: u23 = 0, // of the bytes, from the start of the call buffer
    cookie: bool = false, // the cookie was written
    code: u8 = action_none,
};

/// The call buffer up to the key.
pub const Header = extern struct {
    cookie: u64,
    namespace_len: u32,
    namespace_id: u32,
    batch_index: u32,
    batch_len: u32,
    reserved: [40]u8,
};

/// A command that is about to happen to a key.
pub const Call = struct {
    op: u32,
    key: []u8, // the guest's to overwrite; its namespace's path follows it
    value_len: u32,
    ttl_ms: i64,
    flags: u32,
};

/// A command that has happened to a key.
pub const Outcome = struct {
    op: u32,
    key: []u8,
    result: u32, // the outcome and, from bit tier_shift on, the tier
    elapsed_ns: u64,
    value_len: u32,
};

/// One key of a command that has ended.
pub const Event = extern struct {
    key_hash: u64,
    time: u64, // unix nanoseconds
    elapsed: u32, // nanoseconds
    value_size: u32, // bytes
    ttl: u32, // seconds
    namespace_id: u16,
    op: u8, // event_continued is added for every key of a command but the first
    result: u8, // outcome in the low four bits, tier in the high four
};

comptime {
    std.debug.assert(@offsetOf(Header, "namespace_len") == buf_namespace_len);
    std.debug.assert(@offsetOf(Header, "batch_index") == buf_batch_index);
    std.debug.assert(@sizeOf(Header) == buf_key);
    std.debug.assert(@offsetOf(Event, "elapsed") == event_elapsed);
    std.debug.assert(@offsetOf(Event, "result") == event_result);
    std.debug.assert(@sizeOf(Event) == event_size);
}

const host = struct {
    extern "edgecache_1" fn log(level: u32, text: [*]const u8, len: usize) void;
    extern "edgecache_1" fn log_enabled(level: u32) u32;
    extern "edgecache_1" fn now_ns() i64;
    extern "edgecache_1" fn mono_ns() i64;
    extern "edgecache_1" fn random(to: [*]u8, len: usize) void;
    extern "edgecache_1" fn hash64(bytes: [*]const u8, len: usize) u64;
    extern "edgecache_1" fn value_read(offset: u32, to: [*]u8, len: usize) u32;
    extern "edgecache_1" fn value_write(value: [*]const u8, len: usize) u32;
    extern "edgecache_1" fn kv_get(key: [*]const u8, key_len: usize, to: [*]u8, room: usize) i64;
    extern "edgecache_1" fn kv_set(key: [*]const u8, key_len: usize, value: [*]const u8, value_len: usize, ttl_ms: i64) i32;
    extern "edgecache_1" fn kv_cas(
        key: [*]const u8,
        key_len: usize,
        old: ?[*]const u8,
        old_len: isize,
        new: [*]const u8,
        new_len: usize,
        ttl_ms: i64,
    ) i32;
    extern "edgecache_1" fn kv_add(key: [*]const u8, key_len: usize, delta: i64, ttl_ms: i64) i64;
    extern "edgecache_1" fn kv_delete(key: [*]const u8, key_len: usize) i32;
    extern "edgecache_1" fn metric_define(kind: u32, name: [*]const u8, name_len: usize) i32;
    extern "edgecache_1" fn counter_add(metric: i32, delta: u64) void;
    extern "edgecache_1" fn gauge_set(metric: i32, value: i64) void;
    extern "edgecache_1" fn hist_record(metric: i32, value: u64) void;
    extern "edgecache_1" fn span_attr(key: [*]const u8, key_len: usize, value: [*]const u8, value_len: usize) void;
};

/// Why an entry of kv could not be written.
pub const KVError = error{
    Full, // the plugin's share is used up, or key or value are too long
    Differs, // the entry is not the expected one
    NotANumber, // the entry is no number, or Full
};

// What the host offers. A manifest lists under "needs" the capability that a function's comment names.

/// Needs log.
pub fn log(level: u32, text: []const u8) void {
    host.log(level, text.ptr, text.len);
}

/// Whether a line of that level would be written. Needs log.
pub fn logEnabled(level: u32) bool {
    return host.log_enabled(level) != 0;
}

/// Unix nanoseconds. Needs clock.
pub fn now() i64 {
    return host.now_ns();
}

/// Nanoseconds that never go back. Needs clock.
pub fn mono() i64 {
    return host.mono_ns();
}

/// Fills up to max_random bytes. Needs rng.
pub fn random(to: []u8) void {
    host.random(to.ptr, to.len);
}

/// XXH64 with seed 0.
pub fn hash64(bytes: []const u8) u64 {
    return host.hash64(bytes.ptr, bytes.len);
}

/// The part of the call's value from offset on that fits into to. Needs value.
pub fn valueRead(offset: u32, to: []u8) []u8 {
    return to[0..host.value_read(offset, to.ptr, to.len)];
}

/// Whether these bytes are the call's value from here on. Needs value.
pub fn valueWrite(value: []const u8) bool {
    return host.value_write(value.ptr, value.len) != 0;
}

/// The length of an entry, whose beginning is copied to to, or null. Needs kv.
pub fn kvGet(key: []const u8, to: []u8) ?usize {
    const n = host.kv_get(key.ptr, key.len, to.ptr, to.len);
    return if (n < 0) null else @intCast(n);
}

/// Needs kv.
pub fn kvSet(key: []const u8, value: []const u8, ttl_ms: i64) KVError!void {
    return kvResult(host.kv_set(key.ptr, key.len, value.ptr, value.len, ttl_ms));
}

/// Sets the entry if it is old, or absent where old is null. Needs kv.
pub fn kvCas(key: []const u8, old: ?[]const u8, new: []const u8, ttl_ms: i64) KVError!void {
    const from: ?[*]const u8 = if (old) |o| o.ptr else null;
    const len: isize = if (old) |o| @intCast(o.len) else kv_none;
    return kvResult(host.kv_cas(key.ptr, key.len, from, len, new.ptr, new.len, ttl_ms));
}

/// The sum. The time to live counts from the first addition. Needs kv.
pub fn kvAdd(key: []const u8, delta: i64, ttl_ms: i64) KVError!i64 {
    const sum = host.kv_add(key.ptr, key.len, delta, ttl_ms);
    return if (sum == kv_failed) KVError.NotANumber else sum;
}

/// Whether there was such an entry. Needs kv.
pub fn kvDelete(key: []const u8) bool {
    return host.kv_delete(key.ptr, key.len) == kv_ok;
}

fn kvResult(code: i32) KVError!void {
    return switch (code) {
        kv_ok => {},
        kv_differs => KVError.Differs,
        else => KVError.Full,
    };
}

/// A metric's number, or null beyond max_metrics. For init. Needs metrics, as those that take the number.
pub fn metricDefine(kind: u32, name: []const u8) ?i32 {
    const metric = host.metric_define(kind, name.ptr, name.len);
    return if (metric < 0) null else metric;
}

pub fn counterAdd(metric: i32, delta: u64) void {
    host.counter_add(metric, delta);
}

pub fn gaugeSet(metric: i32, value: i64) void {
    host.gauge_set(metric, value);
}

pub fn histRecord(metric: i32, value: u64) void {
    host.hist_record(metric, value);
}

/// An attribute of the command's span. Needs trace.
pub fn spanAttr(key: []const u8, value: []const u8) void {
    host.span_attr(key.ptr, key.len, value.ptr, value.len);
}

/// How much longer than the key and its namespace an answer may be.
pub const answer_extra = 1024;

// Keys up to small bytes, with their namespace, need no more memory than the module begins with; large is the most.
const small = 4096 - buf_key;
const large = 65536;
const page = 65536;

var first: [buf_key + small + small + answer_extra]u8 align(8) = undefined;
var call_buffer: [*]align(8) u8 = &first;
var answer_at: usize = buf_key + small; // in the call buffer
var room: []u8 = &.{}; // of answerOf

fn buffer(size: u32) callconv(.C) ?[*]u8 {
    if (size > buf_key + large) return null;
    if (size > answer_at) {
        const memory = grow(buf_key + large + large + answer_extra) orelse return null;
        call_buffer = @alignCast(memory.ptr);
        answer_at = buf_key + large;
    }
    return call_buffer;
}

/// Takes new memory, behind all that there is.
fn grow(n: usize) ?[]u8 {
    const pages = @wasmMemoryGrow(0, (n + page - 1) / page);
    if (pages < 0) return null;
    const start: [*]u8 = @ptrFromInt(@as(usize, @intCast(pages)) * page);
    return start[0..n];
}

/// The call buffer up to the key.
pub fn header() *Header {
    return @ptrCast(call_buffer);
}

/// The path of the key's namespace, empty for the root.
pub fn namespace(key: []const u8) []const u8 {
    return key.ptr[key.len..][0..header().namespace_len];
}

/// Where an answer may be written: answer_extra bytes more than the key and its namespace have, at least.
pub fn answer() []u8 {
    return call_buffer[answer_at..][0 .. answer_at - buf_key + answer_extra];
}

/// Where an answer of n bytes may be written, which an answer to a shorter key has no room for, or null where there is no
/// more memory. It takes memory where there is none yet for n: ask for the same n each time.
pub fn answerOf(n: usize) ?[]u8 {
    if (n > room.len or @intFromPtr(room.ptr) < @intFromPtr(call_buffer)) room = grow(n) orelse return null;
    return room[0..n];
}

/// An action with bytes, which stand in the key or an answer.
pub fn action(code: u8, bytes: []const u8) Action {
    return .{ .code = code, .offset = @intCast(@intFromPtr(bytes.ptr) - @intFromPtr(call_buffer)), .len = bytes.len };
}

/// Refuses the command. The reason may stand anywhere and is cut after 1024 bytes.
pub fn deny(reason: []const u8) Action {
    const text = answer()[0..@min(reason.len, 1024)];
    copy(text, reason[0..text.len]);
    return action(action_deny, text);
}

/// A list of patches, written where an answer is.
pub const Patches = struct {
    len: usize = 0,

    /// Adds a patch whose bytes are the parts one after the other.
    pub fn add(p: *Patches, field: u8, parts: []const []const u8) void {
        const head = answer()[p.len..][0..patch_header];
        p.len += patch_header;
        var n: u32 = 0;
        for (parts) |part| {
            copy(answer()[p.len..][0..part.len], part);
            p.len += part.len;
            n += part.len;
        }
        head[0] = field;
        std.mem.writeIntLittle(u32, head[1..], n);
    }

    /// Adds a patch of the time to live.
    pub fn ttl(p: *Patches, ms: i64) void {
        p.add(field_ttl, &.{std.mem.asBytes(&ms)});
    }

    pub fn action(p: Patches) Action {
        return ec.action(action_ext, answer()[0..p.len]);
    }
};

const ec = @This();

/// The first slot of a row of statistics.
pub fn label(op: u32, namespace_id: u32) u64 {
    return @as(u64, op) << label_op | @as(u64, namespace_id) << label_namespace;
}

/// Copies bytes between places that do not overlap, without leaving the guest's code.
pub inline fn copy(to: []u8, from: []const u8) void {
    const n = from.len;
    if (n < 8) {
        for (to[0..n], from) |*t, f| t.* = f;
        return;
    }
    var i: usize = 0;
    while (i < n - 8) : (i += 8) to[i..][0..8].* = from[i..][0..8].*;
    to[n - 8 ..][0..8].* = from[n - 8 ..][0..8].*; // overlaps the word before it unless n is a multiple of 8
}

/// Exports what the host calls of the guest's public functions, and the marker of the ABI.
pub fn plugin(comptime guest: type) void {
    const exports = struct {
        var events: [event_batch]Event = undefined;

        fn marker() callconv(.C) void {}

        fn init(config_len: u32, features: u64) callconv(.C) u32 {
            const text = guest.init(call_buffer[buf_key..][0..config_len], features) orelse return 0;
            const n = @min(text.len, answer_at - buf_key);
            std.mem.copyForwards(u8, call_buffer[buf_key..][0..n], text[0..n]);
            return n;
        }

        fn before(op: u32, key_len: u32, value_len: u32, ttl_ms: i64, flags: u32) callconv(.C) u64 {
            const key = call_buffer[buf_key..][0..key_len];
            return @bitCast(guest.before(.{ .op = op, .key = key, .value_len = value_len, .ttl_ms = ttl_ms, .flags = flags }));
        }

        fn after(op: u32, key_len: u32, result: u32, elapsed_ns: u64, value_len: u32) callconv(.C) u64 {
            const key = call_buffer[buf_key..][0..key_len];
            return @bitCast(guest.after(.{ .op = op, .key = key, .result = result, .elapsed_ns = elapsed_ns, .value_len = value_len }));
        }

        fn eventBuffer(capacity: u32) callconv(.C) ?[*]Event {
            return if (capacity <= events.len) &events else null;
        }

        fn observe(n: u32) callconv(.C) void {
            guest.observe(events[0..n]);
        }

        fn stats() callconv(.C) u64 {
            const rows = guest.stats();
            return @as(u64, @intFromPtr(rows.ptr)) << 32 | rows.len;
        }

        fn idle() callconv(.C) void {
            guest.idle();
        }
    };
    @export(exports.marker, .{ .name = "edgecache_abi_hook_1" });
    @export(buffer, .{ .name = "ec_buf" });
    if (@hasDecl(guest, "init")) @export(exports.init, .{ .name = "ec_init" });
    if (@hasDecl(guest, "before")) @export(exports.before, .{ .name = "ec_before" });
    if (@hasDecl(guest, "after")) @export(exports.after, .{ .name = "ec_after" });
    if (@hasDecl(guest, "observe")) @export(exports.eventBuffer, .{ .name = "ec_events" });
    if (@hasDecl(guest, "observe")) @export(exports.observe, .{ .name = "ec_observe" });
    if (@hasDecl(guest, "stats")) @export(exports.stats, .{ .name = "ec_stats" });
    if (@hasDecl(guest, "idle")) @export(exports.idle, .{ .name = "ec_idle" });
}

/// What a failed guest ends with, as its root's panic: it logs why, and traps. Needs log.
pub fn panic(why: []const u8, _: ?*std.builtin.StackTrace, _: ?usize) noreturn {
    log(log_error, why);
    @trap();
}
