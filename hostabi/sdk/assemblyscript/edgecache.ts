// edgecache.ts is all that a guest in AssemblyScript needs: the numbers of the ABI, version 1, the host's functions and
// the call buffer. docs/ABI.md explains the calls.
//
//   asc guest.ts -O3 --noAssert --runtime stub --lib hostabi/sdk/assemblyscript --use abort=~lib/edgecache/abort \
//       --exportStart _initialize --debug -o guest.wasm
//
// A guest exports from its entry file what the host calls:
//
//   import { ... } from "edgecache";
//   export { edgecache_abi_hook_1, ec_buf } from "edgecache";
//   export function ec_before(op: u32, keyLen: u32, valueLen: u32, ttlMs: i64, flags: u32): u64 { ... }
//
// "edgecache/config" reads configurations, "edgecache/glob" has patterns. Only what is used gets into the module.
//
// The runtime never frees, so allocate in ec_init only, and work on addresses elsewhere: strings are UTF-16. Nothing here
// allocates, but for the buffers of long keys and answers. A guest that does, or that throws, imports log through abort:
// its manifest needs "log".

// generated from hostabi by make docs: begin

// The call buffer that ec_buf returns: a header, then the key, then the namespace's path.
export const BUF_COOKIE: u32 = 0; // u64: in ec_before written by the guest (with ACTION_COOKIE), in ec_after what it wrote, else 0
export const BUF_NAMESPACE_LEN: u32 = 8; // u32: length of the namespace's path, which follows the key; 0 is the root
export const BUF_NAMESPACE_ID: u32 = 12; // u32: number of the namespace, stable while the process lives
export const BUF_BATCH_INDEX: u32 = 16; // u32: which key of a command on many this is
export const BUF_BATCH_LEN: u32 = 20; // u32: how many keys the command has
export const BUF_KEY: u32 = 64; // the key's bytes
// MIN_BUF is the smallest buffer that the host asks ec_buf for.
export const MIN_BUF: u32 = 1024;

// TTL values that are no milliseconds, in ec_before's ttl_ms and in FIELD_TTL.
export const TTL_DEFAULT: i64 = 0;
export const TTL_NONE: i64 = -1;
export const TTL_KEEP: i64 = -2;

// Flags of ec_before.

// CALL_BATCH is set where the command is on many keys: the guest is called for each.
export const CALL_BATCH: u32 = 1;

// An action is what ec_before and ec_after return: 0 goes on unchanged; else
//
//     action<<56 | cookie<<55 | offset<<32 | length
//
// where offset (23 bits) is relative to the call buffer, and the bytes there belong to the guest: the host copies them
// at once. Cookie says that the guest wrote the header's cookie; it may stand alone.
export const ACTION_NONE: u64 = 0; // go on
export const ACTION_KEY: u64 = 1; // before: the bytes are the new key
export const ACTION_RESPOND: u64 = 2; // before: the bytes are the value, the tiers are not asked. After: the bytes replace the value read
export const ACTION_DENY: u64 = 3; // before: the command is refused and the bytes are the reason
export const ACTION_MISS: u64 = 4; // before: a read misses, a write is skipped
export const ACTION_EXT: u64 = 5; // before: the bytes are a list of patches
export const ACTION_SHIFT: u64 = 56;
export const ACTION_COOKIE: u64 = 1 << 55;
export const OFFSET_SHIFT: u64 = 32;
export const OFFSET_MASK: u64 = 0x7fffff;
export const LENGTH_MASK: u64 = 0xffffffff;

// A patch of ACTION_EXT is a u8 field, a u32 length and that many bytes.
export const FIELD_KEY: u8 = 1; // the new key
export const FIELD_TTL: u8 = 2; // i64 milliseconds or a TTL constant
export const FIELD_VALUE: u8 = 3; // the new value of a write
export const FIELD_NAMESPACE: u8 = 4; // the path of the namespace to move to
export const PATCH_HEADER: u32 = 5; // bytes before a patch's payload

// An event, 32 bytes.
export const EVENT_KEY_HASH: u32 = 0; // u64: 0 unless the manifest needs "hash"
export const EVENT_TIME: u32 = 8; // u64: unix nanoseconds at the end of the command; 0 unless the manifest needs "clock"
export const EVENT_ELAPSED: u32 = 16; // u32: nanoseconds the command took; 0 unless the manifest needs "clock"
export const EVENT_VALUE_SIZE: u32 = 20; // u32: length of the value read or written
export const EVENT_TTL: u32 = 24; // u32: seconds a write asked for, rounded up; 0 default, 0xffffffff none or kept
export const EVENT_NAMESPACE: u32 = 28; // u16: number of the namespace
export const EVENT_OP: u32 = 30; // u8: Op, with EVENT_CONTINUED for every key of a command but the first
export const EVENT_RESULT: u32 = 31; // u8: Outcome in bits 0-3, the tier that answered (1 is the nearest, 0 none) in bits 4-7
export const EVENT_SIZE: u32 = 32;
export const EVENT_CONTINUED: u32 = 0x80;
export const OUTCOME_MASK: u32 = 0x0f;
export const TIER_SHIFT: u32 = 4;
// EVENT_BATCH is how many events the host hands over at most, and what it asks ec_events for.
export const EVENT_BATCH: u32 = 256;

// The statistics block of ec_stats: rows of u64 slots. The first slot of a row is its label, the others are the columns
// of the manifest's "stats" in their order, a histogram taking HISTOGRAM_SLOTS.
export const LABEL_OP: u64 = 0; // bits 0-7 of the label: the Op, 0 is all of them
export const LABEL_NAMESPACE: u64 = 8; // bits 8-23 of the label: the namespace's number, or a Namespace constant
export const NAMESPACE_ALL: u32 = 0xffff;
export const NAMESPACE_OTHER: u32 = 0xfffe; // those that had no row left
// HISTOGRAM_SLOTS is how many slots a log2 histogram takes: slot i counts values v with bit length i, the last also
// all above. So slot 0 counts zeros, slot i (from 1) values in [2^(i-1), 2^i).
export const HISTOGRAM_SLOTS: u32 = 40;
// MAX_STAT_ROWS is how many rows a guest may report.
export const MAX_STAT_ROWS: u32 = 4096;

// The operations.
export const OP_GET: u32 = 1;
export const OP_GET_MANY: u32 = 2;
export const OP_SET: u32 = 3;
export const OP_SET_MANY: u32 = 4;
export const OP_ADD: u32 = 5;
export const OP_REPLACE: u32 = 6;
export const OP_COMPARE_AND_SWAP: u32 = 7;
export const OP_APPEND: u32 = 8;
export const OP_PREPEND: u32 = 9;
export const OP_INCREMENT: u32 = 10;
export const OP_DECREMENT: u32 = 11;
export const OP_EXISTS: u32 = 12;
export const OP_TTL: u32 = 13;
export const OP_EXPIRE: u32 = 14;
export const OP_DELETE: u32 = 15;
export const OP_DELETE_MANY: u32 = 16;
export const OP_CLEAR: u32 = 17;
export const OP_KEYS: u32 = 18;
export const OP_RAW: u32 = 19;
export const OP_COUNT: u32 = 20;

// The outcomes, in events and in ec_after's result (there also with the tier above them).
export const OUTCOME_NONE: u32 = 0;
export const OUTCOME_HIT: u32 = 1;
export const OUTCOME_MISS: u32 = 2;
export const OUTCOME_STORED: u32 = 3;
export const OUTCOME_NOT_STORED: u32 = 4;
export const OUTCOME_BYPASS: u32 = 5;
export const OUTCOME_DENIED: u32 = 6;
export const OUTCOME_ERROR: u32 = 7;

// Levels of log.
export const LOG_DEBUG: u32 = 0;
export const LOG_INFO: u32 = 1;
export const LOG_WARN: u32 = 2;
export const LOG_ERROR: u32 = 3;

// What the functions of capability "kv" return beside lengths and numbers. Entries are the plugin's own: all its instances
// and versions see the same ones, and they end with it. A number of kv_add is an entry of 8 bytes. A time to live
// is in milliseconds, 0 or below is none.
export const KV_OK: i32 = 0;
export const KV_ABSENT: i32 = -1; // there is no such entry
export const KV_FULL: i32 = -2; // the plugin's share is used up, or key or value are too long
export const KV_DIFFERS: i32 = -3; // the entry is not the expected one
export const KV_NONE: i32 = -1; // as a length: no entry is expected
export const KV_FAILED: i64 = i64.MIN_VALUE; // of kv_add: the entry is no number, or KV_FULL

// Kinds of metric_define.
export const METRIC_COUNTER: u32 = 0;
export const METRIC_GAUGE: u32 = 1;
export const METRIC_HISTOGRAM: u32 = 2;

// Bits of ec_init's features, which say what the host has granted besides clock, hash, log and rng.
export const FEATURE_VALUE: u64 = 1;
export const FEATURE_KV: u64 = 2;
export const FEATURE_METRICS: u64 = 4;
export const FEATURE_TRACE: u64 = 8;

// MAX_RANDOM is how many bytes random gives at once.
export const MAX_RANDOM: u32 = 4096;
// MAX_LOG is how much of a text log takes; the rest is cut off.
export const MAX_LOG: u32 = 4096;
// MAX_KV_KEY is how long a key of capability "kv" may be.
export const MAX_KV_KEY: u32 = 1024;
// MAX_KV_VALUE is how long a value of capability "kv" may be.
export const MAX_KV_VALUE: u32 = 65536;
// MAX_METRICS bounds the metrics of a plugin. Their names are 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit.
export const MAX_METRICS: u32 = 64;
// MAX_SPAN_ATTRS bounds the attributes of one call, whose keys are named as metrics are.
export const MAX_SPAN_ATTRS: u32 = 16;
// MAX_SPAN_VALUE is how much of an attribute's value is taken; the rest is cut off.
export const MAX_SPAN_VALUE: u32 = 256;

// The spec of the cache that ec_policy_init finds at the beginning of the call buffer.
export const SPEC_CAPACITY: u32 = 0; // u64: how much fits: objects, or bytes with SPEC_BYTES
export const SPEC_SEED: u32 = 8; // u64: of what the policy chooses at random
export const SPEC_OBJECTS: u32 = 16; // u32: ids go from 0 to one below
export const SPEC_MOST: u32 = 20; // u32: how many objects can be resident at once
export const SPEC_BATCH: u32 = 24; // u32: how many requests a call of ec_policy_batch has at most
export const SPEC_FLAGS: u32 = 28; // u32: SPEC_BYTES, or 0
export const SPEC_PARAMS_LEN: u32 = 32; // u32: length of the parameters
export const SPEC_PARAMS: u32 = 36; // the parameters: a JSON object of strings

// Flags of SPEC_FLAGS.

// SPEC_BYTES says that sizes count. Else every object counts 1.
export const SPEC_BYTES: u32 = 1;

// The frame, whose address ec_policy_init returns: addresses of buffers that stay where they are.
export const FRAME_IDS: u32 = 0; // u32: of SPEC_BATCH u32, the objects that are asked for
export const FRAME_SIZES: u32 = 4; // u32: of SPEC_BATCH u32, their sizes; used with SPEC_BYTES alone
export const FRAME_HITS: u32 = 8; // u32: of a bit for each of SPEC_BATCH requests, in u32 from the lowest bit on
export const FRAME_VICTIMS: u32 = 12; // u32: of SPEC_MOST+SPEC_BATCH victims
export const FRAME_RESERVED: u32 = 16; // u32: 0
export const FRAME_SIZE: u32 = 20;

// A victim, 8 bytes.
export const VICTIM_AT: u32 = 0; // u32: index of the request that it makes room for, from 0
export const VICTIM_ID: u32 = 4; // u32: the object
export const VICTIM_SIZE: u32 = 8;

// MAX_POLICY_TEXT is how long the text may be that says why ec_policy_init refuses, the 0 at its end included.
export const MAX_POLICY_TEXT: u32 = 1024;

// The phases of an exchange, of ec_http.
export const HTTP_PHASE_REQUEST: u32 = 1; // ahead of everything
export const HTTP_PHASE_KEY: u32 = 2; // makes the key
export const HTTP_PHASE_LOOKUP: u32 = 3; // a stored response was found
export const HTTP_PHASE_RESPONSE: u32 = 4; // the origin's header has come
export const HTTP_PHASE_ADMIT: u32 = 5; // a response is about to take room
export const HTTP_PHASE_DELIVER: u32 = 6; // ahead of the header that the client gets
export const HTTP_PHASE_COUNT: u32 = 7;

// The frame that ec_http finds at the beginning of the call buffer. A string is a u32 offset from the beginning of the frame
// and, 4 bytes on, a u32 length. What a phase has no part in is 0.
export const HTTP_FRAME_LENGTH: u32 = 0; // u32: of the whole frame
export const HTTP_FRAME_PHASE: u32 = 4; // u8: as the parameter
export const HTTP_FRAME_METHOD_NUMBER: u32 = 5; // u8: an HTTPMethod
export const HTTP_FRAME_SCHEME: u32 = 6; // u8: 0 http, 1 https
export const HTTP_FRAME_FLAGS: u32 = 7; // u8: sum of HTTPFlag
export const HTTP_FRAME_STATUS: u32 = 8; // u16: of the response
export const HTTP_FRAME_OUTCOME: u32 = 10; // u8: in deliver an HTTPOutcome
export const HTTP_FRAME_FAMILY: u32 = 11; // u8: 4 or 6, of the client's address; 0 if that is not known
export const HTTP_FRAME_RESERVED: u32 = 12; // u32
export const HTTP_FRAME_METHOD: u32 = 16; // string
export const HTTP_FRAME_HOST: u32 = 24; // string: in lower case, as it goes into keys
export const HTTP_FRAME_TARGET: u32 = 32; // string: path and query; in key as the plugins ahead left it
export const HTTP_FRAME_REQUEST_LINES: u32 = 40; // u32 offset of the request's lines, and their number in a u32
export const HTTP_FRAME_RESPONSE_LINES: u32 = 48; // u32 offset of the response's lines, and their number in a u32
export const HTTP_FRAME_CLIENT: u32 = 56; // 16 bytes: the client's address, of IPv4 the first 4
export const HTTP_FRAME_AGE: u32 = 72; // i64: milliseconds that the stored response is old
export const HTTP_FRAME_TTL: u32 = 80; // i64: milliseconds that the response is fresh from now on; a stored one that is stale, below 0
export const HTTP_FRAME_SWR: u32 = 88; // i64: milliseconds behind that in which it may be used while it is validated
export const HTTP_FRAME_SIE: u32 = 96; // i64: milliseconds behind that in which it may be used if the origin fails
export const HTTP_FRAME_BODY: u32 = 104; // i64: length of the body, -1 if it is not known
export const HTTP_FRAME_KEY_HASH: u32 = 112; // u64: in admit
export const HTTP_FRAME_FREQUENCY: u32 = 120; // u32: in admit about how often the key was asked for lately, 0 if that is not known
export const HTTP_FRAME_STRINGS: u32 = 128; // lines, then strings

// A line of a header, 12 bytes: those of the fields that the manifest names, in its order, each as often as it is there.
export const HTTP_LINE_NAME: u32 = 0; // u16: index in the manifest's "headers" or "response_headers"
export const HTTP_LINE_OFFSET: u32 = 4; // u32: where the value is, from the beginning of the frame
export const HTTP_LINE_LENGTH: u32 = 8; // u32
export const HTTP_LINE_SIZE: u32 = 12;

// Bits of HTTP_FRAME_FLAGS.
export const HTTP_FLAG_BARRED: u32 = 1; // in response: no-store, private or Authorization forbid to keep it
export const HTTP_FLAG_STORE: u32 = 2; // in response: it is kept, unless a verdict says otherwise

// Methods.
export const HTTP_METHOD_OTHER: u32 = 0;
export const HTTP_METHOD_GET: u32 = 1;
export const HTTP_METHOD_HEAD: u32 = 2;
export const HTTP_METHOD_POST: u32 = 3;
export const HTTP_METHOD_PUT: u32 = 4;
export const HTTP_METHOD_DELETE: u32 = 5;
export const HTTP_METHOD_PATCH: u32 = 6;
export const HTTP_METHOD_OPTIONS: u32 = 7;
export const HTTP_METHOD_COUNT: u32 = 8;

// Where an answer comes from.
export const HTTP_OUTCOME_NONE: u32 = 0;
export const HTTP_OUTCOME_HIT: u32 = 1; // stored and fresh
export const HTTP_OUTCOME_STALE: u32 = 2; // stored and stale
export const HTTP_OUTCOME_REVALIDATED: u32 = 3; // stored, and validated for this request
export const HTTP_OUTCOME_MISS: u32 = 4; // the origin's
export const HTTP_OUTCOME_COLLAPSED: u32 = 5; // the origin's, fetched for another request
export const HTTP_OUTCOME_BYPASS: u32 = 6; // the origin's, by the cache
export const HTTP_OUTCOME_HOOK: u32 = 7; // a plugin's
export const HTTP_OUTCOME_ERROR: u32 = 8; // the cache's own
export const HTTP_OUTCOME_COUNT: u32 = 9;

// A verdict is a list of patches: a u8 field, a u32 length and that many bytes, without gaps. An edit's bytes are a u16 length
// of the name, the name and the value.
export const HTTP_FIELD_ACTION: u8 = 1; // request: u8 HTTPAction, u8 0, u16 status
export const HTTP_FIELD_LOCATION: u8 = 2; // request: where redirect goes
export const HTTP_FIELD_BODY: u8 = 3; // request: of deny and synth
export const HTTP_FIELD_SET: u8 = 4; // request, response, deliver: edit, one line in the place of all of that name
export const HTTP_FIELD_ADD: u8 = 5; // request, response, deliver: edit, one more line
export const HTTP_FIELD_REMOVE: u8 = 6; // request, response, deliver: the name of a field that goes
export const HTTP_FIELD_TARGET: u8 = 7; // key: path and query in the place of the request's
export const HTTP_FIELD_HIDE: u8 = 8; // key: no bytes: the origin gets the request's own target
export const HTTP_FIELD_EXTRA: u8 = 9; // key: bytes that are added to the key
export const HTTP_FIELD_VARY: u8 = 10; // key: edit, a value in the place of the request's where Vary names the field
export const HTTP_FIELD_LOOKUP: u8 = 11; // lookup: u8 HTTPLookup
export const HTTP_FIELD_STORE: u8 = 12; // response: u8, 1 keeps it and 0 does not
export const HTTP_FIELD_TTL: u8 = 13; // response: i64 milliseconds
export const HTTP_FIELD_SWR: u8 = 14; // response: i64 milliseconds
export const HTTP_FIELD_SIE: u8 = 15; // response: i64 milliseconds
export const HTTP_FIELD_TAG: u8 = 16; // response: a tag, for purging
export const HTTP_FIELD_REFUSE: u8 = 17; // admit: no bytes: it is not kept
export const HTTP_FIELD_COUNT: u8 = 18;

// What a request comes to.
export const HTTP_ACTION_PASS: u32 = 0;
export const HTTP_ACTION_BYPASS: u32 = 1; // goes on to the origin by the cache
export const HTTP_ACTION_DENY: u32 = 2; // is answered with a status from 400 to 599 and a body
export const HTTP_ACTION_REDIRECT: u32 = 3; // is answered with a status 301, 302, 303, 307 or 308 and a location
export const HTTP_ACTION_SYNTH: u32 = 4; // is answered with a status from 200 to 599, a header and a body
export const HTTP_ACTION_COUNT: u32 = 5;

// What a stored response is used for.
export const HTTP_LOOKUP_USE: u32 = 0; // as HTTP has it
export const HTTP_LOOKUP_REVALIDATE: u32 = 1; // it is validated, even if it is fresh
export const HTTP_LOOKUP_MISS: u32 = 2; // another one is fetched
export const HTTP_LOOKUP_COUNT: u32 = 3;

// An event of HTTP, 32 bytes, of ec_observe.
export const HTTP_EVENT_KEY_HASH: u32 = 0; // u64: tells keys apart while the process lives
export const HTTP_EVENT_TIME: u32 = 8; // u64: unix nanoseconds at the end of the exchange
export const HTTP_EVENT_ELAPSED: u32 = 16; // u32: microseconds that it took
export const HTTP_EVENT_SIZE: u32 = 20; // u32: bytes of body that the client got
export const HTTP_EVENT_AGE: u32 = 24; // u32: seconds that the stored response was old
export const HTTP_EVENT_STATUS: u32 = 28; // u16
export const HTTP_EVENT_METHOD: u32 = 30; // u8: an HTTPMethod
export const HTTP_EVENT_OUTCOME: u32 = 31; // u8: an HTTPOutcome

// Limits of frames and verdicts, in bytes, or how many.
export const MAX_HTTP_FRAME: u32 = 65536; // a longer one is not shown to the guest
export const MAX_HTTP_VERDICT: u32 = 1 << 17; // as a whole
export const MAX_HTTP_BODY: u32 = 65536;
export const MAX_HTTP_TARGET: u32 = 32768;
export const MAX_HTTP_EXTRA: u32 = 1024;
export const MAX_HTTP_EDITS: u32 = 64;
export const MAX_HTTP_VARY: u32 = 16;
export const MAX_HTTP_TAGS: u32 = 64;
export const MAX_HTTP_TAG: u32 = 256;

// generated from hostabi by make docs: end

// What the host offers. A manifest lists under "needs" the capability that is named behind a function it uses.

@external("edgecache_1", "log") export declare function log(level: u32, text: usize, len: u32): void; // log
@external("edgecache_1", "log_enabled") export declare function logEnabled(level: u32): bool; // log
@external("edgecache_1", "now_ns") export declare function nowNs(): i64; // clock: unix time
@external("edgecache_1", "mono_ns") export declare function monoNs(): i64; // clock: never goes back
@external("edgecache_1", "random") export declare function random(at: usize, len: u32): void; // rng
@external("edgecache_1", "hash64") export declare function hash64(at: usize, len: u32): u64; // XXH64 with seed 0

@external("edgecache_1", "value_read")
export declare function valueRead(offset: u32, at: usize, len: u32): u32; // value
@external("edgecache_1", "value_write")
export declare function valueWrite(at: usize, len: u32): bool; // value

@external("edgecache_1", "kv_get")
export declare function kvGet(key: usize, keyLen: u32, at: usize, room: u32): i64; // kv
@external("edgecache_1", "kv_set")
export declare function kvSet(key: usize, keyLen: u32, value: usize, valueLen: u32, ttlMs: i64): i32; // kv
@external("edgecache_1", "kv_cas")
export declare function kvCas(key: usize, keyLen: u32, old: usize, oldLen: u32, value: usize, valueLen: u32, ttlMs: i64): i32; // kv
@external("edgecache_1", "kv_add")
export declare function kvAdd(key: usize, keyLen: u32, delta: i64, ttlMs: i64): i64; // kv
@external("edgecache_1", "kv_delete")
export declare function kvDelete(key: usize, keyLen: u32): i32; // kv

@external("edgecache_1", "metric_define")
export declare function metricDefine(kind: u32, name: usize, nameLen: u32): i32; // metrics
@external("edgecache_1", "counter_add") export declare function counterAdd(metric: i32, delta: u64): void; // metrics
@external("edgecache_1", "gauge_set") export declare function gaugeSet(metric: i32, value: i64): void; // metrics
@external("edgecache_1", "hist_record") export declare function histRecord(metric: i32, value: u64): void; // metrics

@external("edgecache_1", "span_attr")
export declare function spanAttr(key: usize, keyLen: u32, value: usize, valueLen: u32): void; // trace

// Keys up to SMALL bytes, with their namespace, need no more memory than the module begins with; LARGE is the most.
const SMALL: u32 = 4096 - BUF_KEY;
const LARGE: u32 = 65536;
// ANSWER_EXTRA is how much longer than the key and its namespace an answer may be.
export const ANSWER_EXTRA: u32 = 1024;

let call: usize = memory.data(<i32>(BUF_KEY + SMALL + SMALL + ANSWER_EXTRA), 8);
let answerAt: usize = call + BUF_KEY + SMALL;
let roomAt: usize = 0; // of roomLen bytes
let roomLen: u32 = 0;

// edgecache_abi_hook_1 says which ABI the module was built for.
export function edgecache_abi_hook_1(): void {}

// ec_buf returns the call buffer, or 0 for a key that is longer than the host has.
export function ec_buf(size: u32): usize {
  if (size > BUF_KEY + LARGE) return 0;
  if (size > BUF_KEY + SMALL && answerAt - call == BUF_KEY + SMALL) {
    call = heap.alloc(BUF_KEY + LARGE + LARGE + ANSWER_EXTRA);
    answerAt = call + BUF_KEY + LARGE;
  }
  return call;
}

// key returns where the key is, and in ec_init the configuration.
// @ts-ignore: decorator
@inline export function key(): usize { return call + BUF_KEY; }

// answer returns where ANSWER_EXTRA bytes more than the key and its namespace have may be written.
// @ts-ignore: decorator
@inline export function answer(): usize { return answerAt; }

// answerOf returns where an answer of n bytes may be written, which an answer to a shorter key has no room for. It takes
// memory where there is none yet for n: ask for the same n each time.
export function answerOf(n: u32): usize {
  if (n > roomLen || roomAt < call) {
    roomAt = heap.alloc(n);
    roomLen = n;
  }
  return roomAt;
}

// cookie returns what ec_before left with setCookie, 0 where it left nothing.
// @ts-ignore: decorator
@inline export function cookie(): u64 { return load<u64>(call, BUF_COOKIE); }

// setCookie leaves a number for ec_after. The action that ec_before returns must have ACTION_COOKIE added.
// @ts-ignore: decorator
@inline export function setCookie(v: u64): void { store<u64>(call, v, BUF_COOKIE); }

// namespaceLen returns the length of the namespace's path, which follows the key.
// @ts-ignore: decorator
@inline export function namespaceLen(): u32 { return load<u32>(call, BUF_NAMESPACE_LEN); }

// @ts-ignore: decorator
@inline export function namespaceId(): u32 { return load<u32>(call, BUF_NAMESPACE_ID); }

// batchIndex returns which key of the command this is, of batchLen.
// @ts-ignore: decorator
@inline export function batchIndex(): u32 { return load<u32>(call, BUF_BATCH_INDEX); }

// @ts-ignore: decorator
@inline export function batchLen(): u32 { return load<u32>(call, BUF_BATCH_LEN); }

// act returns the action with len bytes at the given place, which is in the call buffer or the answer.
// @ts-ignore: decorator
@inline export function act(action: u64, at: usize, len: u32): u64 {
  return action << ACTION_SHIFT | <u64>(at - call) << OFFSET_SHIFT | len;
}

// deny returns the action that refuses the command for a reason of at most 300 characters.
export function deny(reason: string): u64 {
  return act(ACTION_DENY, answerAt, <u32>(write(answerAt, reason) - answerAt));
}

// patch writes a patch of len bytes and returns where the next one goes.
export function patch(at: usize, field: u8, from: usize, len: u32): usize {
  return copy(patchHeader(at, field, len), from, len);
}

// patchTTL writes a patch of the time to live and returns where the next one goes.
export function patchTTL(at: usize, ms: i64): usize {
  at = patchHeader(at, FIELD_TTL, 8);
  store<i64>(at, ms);
  return at + 8;
}

// patchHeader writes what stands before a patch's len bytes and returns where those go.
export function patchHeader(at: usize, field: u8, len: u32): usize {
  store<u8>(at, field);
  store<u32>(at, len, 1);
  return at + PATCH_HEADER;
}

// label returns the first slot of a row of statistics.
// @ts-ignore: decorator
@inline export function label(op: u32, namespaceId: u32): u64 {
  return <u64>op << LABEL_OP | <u64>namespaceId << LABEL_NAMESPACE;
}

// block returns what ec_stats returns: where the rows are and how many.
// @ts-ignore: decorator
@inline export function block(rows: usize, n: u32): u64 { return <u64>rows << 32 | n; }

// copy copies len bytes between places that do not overlap and returns where they end. It does not leave the guest's
// code for few.
// @ts-ignore: decorator
@inline export function copy(to: usize, from: usize, len: u32): usize {
  if (len > 128) memory.copy(to, from, len);
  else if (len < 8) for (let i: u32 = 0; i < len; i++) store<u8>(to + i, load<u8>(from + i));
  else {
    for (let i: u32 = 0; i < len - 8; i += 8) store<u64>(to + i, load<u64>(from + i));
    store<u64>(to + len - 8, load<u64>(from + len - 8)); // overlaps the word before it unless len is a multiple of 8
  }
  return to + len;
}

// equal reports whether len bytes are the same.
export function equal(a: usize, b: usize, len: u32): bool {
  for (let i: u32 = 0; i < len; i++) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false;
  }
  return true;
}

// write writes a text of at most 300 characters as UTF-8 and returns where it ends.
export function write(at: usize, text: string): usize {
  return at + String.UTF8.encodeUnsafe(changetype<usize>(text), min(text.length, 300), at);
}

// writeNumber writes a number in decimal and returns where it ends.
export function writeNumber(at: usize, n: u64): usize {
  let digits = 1;
  for (let rest = n; rest >= 10; rest /= 10) digits++;
  for (let i = digits - 1; i >= 0; i--, n /= 10) store<u8>(at + i, <u8>(0x30 + n % 10));
  return at + digits;
}

// abort is what a failed guest ends with (see --use above): it logs why and where, and traps.
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const text = memory.data(2048);
  let at = write(text, message ? message : "abort");
  at = write(at, " at ");
  at = write(at, file ? file : "?");
  store<u8>(at, 0x3a); // a colon
  at = writeNumber(at + 1, line);
  log(LOG_ERROR, text, <u32>(at - text));
  unreachable();
}
