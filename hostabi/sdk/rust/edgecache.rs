//! edgecache is all that a guest in Rust needs: the numbers of the ABI, version 1, a trait for each hook, safe calls of the
//! host's functions and a reader for the configuration. It needs no crate and no allocator. docs/ABI.md explains the calls.
//!
//! ```text
//! rustc --edition 2021 --target wasm32-unknown-unknown -O -C panic=abort -C target-feature=+bulk-memory \
//!     --crate-type rlib --crate-name edgecache -o libedgecache.rlib edgecache.rs
//! rustc --edition 2021 --target wasm32-unknown-unknown -O -C panic=abort -C target-feature=+bulk-memory \
//!     --crate-type cdylib -C lto -C strip=debuginfo -C link-arg=-zstack-size=16384 \
//!     --extern edgecache=libedgecache.rlib -o guest.wasm guest.rs
//! ```
//!
//! It can also stand, with edgecache_http.rs and edgecache_policy.rs, beside guest.rs, which then says `mod edgecache;`, as if
//! it were the crate. Eviction policies are written with the module [policy], hooks of HTTP with [http]. Other guests:
//!
//! ```text
//! #![no_std]
//! use edgecache::*;
//!
//! struct Guard;
//!
//! impl Plugin for Guard {
//!     const NEW: Self = Guard;
//! }
//!
//! impl Before for Guard {
//!     fn before(&mut self, call: &mut Call) -> Action {
//!         if call.key().starts_with(b"admin:") { call.deny(b"admin") } else { Action::NONE }
//!     }
//! }
//!
//! plugin!(Guard: before);
//! ```
#![no_std]
#![allow(unused_attributes, dead_code)] // for who has the file as a module

use core::{
    fmt, mem,
    ops::{Deref, Range},
    ptr, slice, str,
};

#[path = "edgecache_http.rs"]
pub mod http;
#[path = "edgecache_policy.rs"]
pub mod policy;

// generated from hostabi by make docs: begin

// The call buffer that ec_buf returns: a header, then the key, then the namespace's path.
pub const BUF_COOKIE: usize = 0; // u64: in ec_before written by the guest (with ACTION_COOKIE), in ec_after what it wrote, else 0
pub const BUF_NAMESPACE_LEN: usize = 8; // u32: length of the namespace's path, which follows the key; 0 is the root
pub const BUF_NAMESPACE_ID: usize = 12; // u32: number of the namespace, stable while the process lives
pub const BUF_BATCH_INDEX: usize = 16; // u32: which key of a command on many this is
pub const BUF_BATCH_LEN: usize = 20; // u32: how many keys the command has
pub const BUF_KEY: usize = 64; // the key's bytes
// MIN_BUF is the smallest buffer that the host asks ec_buf for.
pub const MIN_BUF: usize = 1024;

// TTL values that are no milliseconds, in ec_before's ttl_ms and in FIELD_TTL.
pub const TTL_DEFAULT: i64 = 0;
pub const TTL_NONE: i64 = -1;
pub const TTL_KEEP: i64 = -2;

// Flags of ec_before.

// CALL_BATCH is set where the command is on many keys: the guest is called for each.
pub const CALL_BATCH: u32 = 1;

// An action is what ec_before and ec_after return: 0 goes on unchanged; else
//
//     action<<56 | cookie<<55 | offset<<32 | length
//
// where offset (23 bits) is relative to the call buffer, and the bytes there belong to the guest: the host copies them
// at once. Cookie says that the guest wrote the header's cookie; it may stand alone.
pub const ACTION_NONE: u64 = 0; // go on
pub const ACTION_KEY: u64 = 1; // before: the bytes are the new key
pub const ACTION_RESPOND: u64 = 2; // before: the bytes are the value, the tiers are not asked. After: the bytes replace the value read
pub const ACTION_DENY: u64 = 3; // before: the command is refused and the bytes are the reason
pub const ACTION_MISS: u64 = 4; // before: a read misses, a write is skipped
pub const ACTION_EXT: u64 = 5; // before: the bytes are a list of patches
pub const ACTION_SHIFT: u64 = 56;
pub const ACTION_COOKIE: u64 = 1 << 55;
pub const OFFSET_SHIFT: u64 = 32;
pub const OFFSET_MASK: u64 = 0x7fffff;
pub const LENGTH_MASK: u64 = 0xffffffff;

// A patch of ACTION_EXT is a u8 field, a u32 length and that many bytes.
pub const FIELD_KEY: u8 = 1; // the new key
pub const FIELD_TTL: u8 = 2; // i64 milliseconds or a TTL constant
pub const FIELD_VALUE: u8 = 3; // the new value of a write
pub const FIELD_NAMESPACE: u8 = 4; // the path of the namespace to move to
pub const PATCH_HEADER: usize = 5; // bytes before a patch's payload

// An event, 32 bytes.
pub const EVENT_KEY_HASH: usize = 0; // u64: 0 unless the manifest needs "hash"
pub const EVENT_TIME: usize = 8; // u64: unix nanoseconds at the end of the command; 0 unless the manifest needs "clock"
pub const EVENT_ELAPSED: usize = 16; // u32: nanoseconds the command took; 0 unless the manifest needs "clock"
pub const EVENT_VALUE_SIZE: usize = 20; // u32: length of the value read or written
pub const EVENT_TTL: usize = 24; // u32: seconds a write asked for, rounded up; 0 default, 0xffffffff none or kept
pub const EVENT_NAMESPACE: usize = 28; // u16: number of the namespace
pub const EVENT_OP: usize = 30; // u8: Op, with EVENT_CONTINUED for every key of a command but the first
pub const EVENT_RESULT: usize = 31; // u8: Outcome in bits 0-3, the tier that answered (1 is the nearest, 0 none) in bits 4-7
pub const EVENT_SIZE: usize = 32;
pub const EVENT_CONTINUED: u32 = 0x80;
pub const OUTCOME_MASK: u32 = 0x0f;
pub const TIER_SHIFT: u32 = 4;
// EVENT_BATCH is how many events the host hands over at most, and what it asks ec_events for.
pub const EVENT_BATCH: usize = 256;

// The statistics block of ec_stats: rows of u64 slots. The first slot of a row is its label, the others are the columns
// of the manifest's "stats" in their order, a histogram taking HISTOGRAM_SLOTS.
pub const LABEL_OP: u64 = 0; // bits 0-7 of the label: the Op, 0 is all of them
pub const LABEL_NAMESPACE: u64 = 8; // bits 8-23 of the label: the namespace's number, or a Namespace constant
pub const NAMESPACE_ALL: u32 = 0xffff;
pub const NAMESPACE_OTHER: u32 = 0xfffe; // those that had no row left
// HISTOGRAM_SLOTS is how many slots a log2 histogram takes: slot i counts values v with bit length i, the last also
// all above. So slot 0 counts zeros, slot i (from 1) values in [2^(i-1), 2^i).
pub const HISTOGRAM_SLOTS: usize = 40;
// MAX_STAT_ROWS is how many rows a guest may report.
pub const MAX_STAT_ROWS: usize = 4096;

// The operations.
pub const OP_GET: u32 = 1;
pub const OP_GET_MANY: u32 = 2;
pub const OP_SET: u32 = 3;
pub const OP_SET_MANY: u32 = 4;
pub const OP_ADD: u32 = 5;
pub const OP_REPLACE: u32 = 6;
pub const OP_COMPARE_AND_SWAP: u32 = 7;
pub const OP_APPEND: u32 = 8;
pub const OP_PREPEND: u32 = 9;
pub const OP_INCREMENT: u32 = 10;
pub const OP_DECREMENT: u32 = 11;
pub const OP_EXISTS: u32 = 12;
pub const OP_TTL: u32 = 13;
pub const OP_EXPIRE: u32 = 14;
pub const OP_DELETE: u32 = 15;
pub const OP_DELETE_MANY: u32 = 16;
pub const OP_CLEAR: u32 = 17;
pub const OP_KEYS: u32 = 18;
pub const OP_RAW: u32 = 19;
pub const OP_COUNT: u32 = 20;

// The outcomes, in events and in ec_after's result (there also with the tier above them).
pub const OUTCOME_NONE: u32 = 0;
pub const OUTCOME_HIT: u32 = 1;
pub const OUTCOME_MISS: u32 = 2;
pub const OUTCOME_STORED: u32 = 3;
pub const OUTCOME_NOT_STORED: u32 = 4;
pub const OUTCOME_BYPASS: u32 = 5;
pub const OUTCOME_DENIED: u32 = 6;
pub const OUTCOME_ERROR: u32 = 7;

// Levels of log.
pub const LOG_DEBUG: u32 = 0;
pub const LOG_INFO: u32 = 1;
pub const LOG_WARN: u32 = 2;
pub const LOG_ERROR: u32 = 3;

// What the functions of capability "kv" return beside lengths and numbers. Entries are the plugin's own: all its instances
// and versions see the same ones, and they end with it. A number of kv_add is an entry of 8 bytes. A time to live
// is in milliseconds, 0 or below is none.
pub const KV_OK: i32 = 0;
pub const KV_ABSENT: i32 = -1; // there is no such entry
pub const KV_FULL: i32 = -2; // the plugin's share is used up, or key or value are too long
pub const KV_DIFFERS: i32 = -3; // the entry is not the expected one
pub const KV_NONE: i32 = -1; // as a length: no entry is expected
pub const KV_FAILED: i64 = i64::MIN; // of kv_add: the entry is no number, or KV_FULL

// Kinds of metric_define.
pub const METRIC_COUNTER: u32 = 0;
pub const METRIC_GAUGE: u32 = 1;
pub const METRIC_HISTOGRAM: u32 = 2;

// Bits of ec_init's features, which say what the host has granted besides clock, hash, log and rng.
pub const FEATURE_VALUE: u64 = 1;
pub const FEATURE_KV: u64 = 2;
pub const FEATURE_METRICS: u64 = 4;
pub const FEATURE_TRACE: u64 = 8;

// MAX_RANDOM is how many bytes random gives at once.
pub const MAX_RANDOM: usize = 4096;
// MAX_LOG is how much of a text log takes; the rest is cut off.
pub const MAX_LOG: usize = 4096;
// MAX_KV_KEY is how long a key of capability "kv" may be.
pub const MAX_KV_KEY: usize = 1024;
// MAX_KV_VALUE is how long a value of capability "kv" may be.
pub const MAX_KV_VALUE: usize = 65536;
// MAX_METRICS bounds the metrics of a plugin. Their names are 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit.
pub const MAX_METRICS: usize = 64;
// MAX_SPAN_ATTRS bounds the attributes of one call, whose keys are named as metrics are.
pub const MAX_SPAN_ATTRS: usize = 16;
// MAX_SPAN_VALUE is how much of an attribute's value is taken; the rest is cut off.
pub const MAX_SPAN_VALUE: usize = 256;

// The spec of the cache that ec_policy_init finds at the beginning of the call buffer.
pub const SPEC_CAPACITY: usize = 0; // u64: how much fits: objects, or bytes with SPEC_BYTES
pub const SPEC_SEED: usize = 8; // u64: of what the policy chooses at random
pub const SPEC_OBJECTS: usize = 16; // u32: ids go from 0 to one below
pub const SPEC_MOST: usize = 20; // u32: how many objects can be resident at once
pub const SPEC_BATCH: usize = 24; // u32: how many requests a call of ec_policy_batch has at most
pub const SPEC_FLAGS: usize = 28; // u32: SPEC_BYTES, or 0
pub const SPEC_PARAMS_LEN: usize = 32; // u32: length of the parameters
pub const SPEC_PARAMS: usize = 36; // the parameters: a JSON object of strings

// Flags of SPEC_FLAGS.

// SPEC_BYTES says that sizes count. Else every object counts 1.
pub const SPEC_BYTES: u32 = 1;

// The frame, whose address ec_policy_init returns: addresses of buffers that stay where they are.
pub const FRAME_IDS: usize = 0; // u32: of SPEC_BATCH u32, the objects that are asked for
pub const FRAME_SIZES: usize = 4; // u32: of SPEC_BATCH u32, their sizes; used with SPEC_BYTES alone
pub const FRAME_HITS: usize = 8; // u32: of a bit for each of SPEC_BATCH requests, in u32 from the lowest bit on
pub const FRAME_VICTIMS: usize = 12; // u32: of SPEC_MOST+SPEC_BATCH victims
pub const FRAME_RESERVED: usize = 16; // u32: 0
pub const FRAME_SIZE: usize = 20;

// A victim, 8 bytes.
pub const VICTIM_AT: usize = 0; // u32: index of the request that it makes room for, from 0
pub const VICTIM_ID: usize = 4; // u32: the object
pub const VICTIM_SIZE: usize = 8;

// MAX_POLICY_TEXT is how long the text may be that says why ec_policy_init refuses, the 0 at its end included.
pub const MAX_POLICY_TEXT: usize = 1024;

// The phases of an exchange, of ec_http.
pub const HTTP_PHASE_REQUEST: u32 = 1; // ahead of everything
pub const HTTP_PHASE_KEY: u32 = 2; // makes the key
pub const HTTP_PHASE_LOOKUP: u32 = 3; // a stored response was found
pub const HTTP_PHASE_RESPONSE: u32 = 4; // the origin's header has come
pub const HTTP_PHASE_ADMIT: u32 = 5; // a response is about to take room
pub const HTTP_PHASE_DELIVER: u32 = 6; // ahead of the header that the client gets
pub const HTTP_PHASE_COUNT: u32 = 7;

// The frame that ec_http finds at the beginning of the call buffer. A string is a u32 offset from the beginning of the frame
// and, 4 bytes on, a u32 length. What a phase has no part in is 0.
pub const HTTP_FRAME_LENGTH: usize = 0; // u32: of the whole frame
pub const HTTP_FRAME_PHASE: usize = 4; // u8: as the parameter
pub const HTTP_FRAME_METHOD_NUMBER: usize = 5; // u8: an HTTPMethod
pub const HTTP_FRAME_SCHEME: usize = 6; // u8: 0 http, 1 https
pub const HTTP_FRAME_FLAGS: usize = 7; // u8: sum of HTTPFlag
pub const HTTP_FRAME_STATUS: usize = 8; // u16: of the response
pub const HTTP_FRAME_OUTCOME: usize = 10; // u8: in deliver an HTTPOutcome
pub const HTTP_FRAME_FAMILY: usize = 11; // u8: 4 or 6, of the client's address; 0 if that is not known
pub const HTTP_FRAME_RESERVED: usize = 12; // u32
pub const HTTP_FRAME_METHOD: usize = 16; // string
pub const HTTP_FRAME_HOST: usize = 24; // string: in lower case, as it goes into keys
pub const HTTP_FRAME_TARGET: usize = 32; // string: path and query; in key as the plugins ahead left it
pub const HTTP_FRAME_REQUEST_LINES: usize = 40; // u32 offset of the request's lines, and their number in a u32
pub const HTTP_FRAME_RESPONSE_LINES: usize = 48; // u32 offset of the response's lines, and their number in a u32
pub const HTTP_FRAME_CLIENT: usize = 56; // 16 bytes: the client's address, of IPv4 the first 4
pub const HTTP_FRAME_AGE: usize = 72; // i64: milliseconds that the stored response is old
pub const HTTP_FRAME_TTL: usize = 80; // i64: milliseconds that the response is fresh from now on; a stored one that is stale, below 0
pub const HTTP_FRAME_SWR: usize = 88; // i64: milliseconds behind that in which it may be used while it is validated
pub const HTTP_FRAME_SIE: usize = 96; // i64: milliseconds behind that in which it may be used if the origin fails
pub const HTTP_FRAME_BODY: usize = 104; // i64: length of the body, -1 if it is not known
pub const HTTP_FRAME_KEY_HASH: usize = 112; // u64: in admit
pub const HTTP_FRAME_FREQUENCY: usize = 120; // u32: in admit about how often the key was asked for lately, 0 if that is not known
pub const HTTP_FRAME_STRINGS: usize = 128; // lines, then strings

// A line of a header, 12 bytes: those of the fields that the manifest names, in its order, each as often as it is there.
pub const HTTP_LINE_NAME: usize = 0; // u16: index in the manifest's "headers" or "response_headers"
pub const HTTP_LINE_OFFSET: usize = 4; // u32: where the value is, from the beginning of the frame
pub const HTTP_LINE_LENGTH: usize = 8; // u32
pub const HTTP_LINE_SIZE: usize = 12;

// Bits of HTTP_FRAME_FLAGS.
pub const HTTP_FLAG_BARRED: u32 = 1; // in response: no-store, private or Authorization forbid to keep it
pub const HTTP_FLAG_STORE: u32 = 2; // in response: it is kept, unless a verdict says otherwise

// Methods.
pub const HTTP_METHOD_OTHER: u32 = 0;
pub const HTTP_METHOD_GET: u32 = 1;
pub const HTTP_METHOD_HEAD: u32 = 2;
pub const HTTP_METHOD_POST: u32 = 3;
pub const HTTP_METHOD_PUT: u32 = 4;
pub const HTTP_METHOD_DELETE: u32 = 5;
pub const HTTP_METHOD_PATCH: u32 = 6;
pub const HTTP_METHOD_OPTIONS: u32 = 7;
pub const HTTP_METHOD_COUNT: u32 = 8;

// Where an answer comes from.
pub const HTTP_OUTCOME_NONE: u32 = 0;
pub const HTTP_OUTCOME_HIT: u32 = 1; // stored and fresh
pub const HTTP_OUTCOME_STALE: u32 = 2; // stored and stale
pub const HTTP_OUTCOME_REVALIDATED: u32 = 3; // stored, and validated for this request
pub const HTTP_OUTCOME_MISS: u32 = 4; // the origin's
pub const HTTP_OUTCOME_COLLAPSED: u32 = 5; // the origin's, fetched for another request
pub const HTTP_OUTCOME_BYPASS: u32 = 6; // the origin's, by the cache
pub const HTTP_OUTCOME_HOOK: u32 = 7; // a plugin's
pub const HTTP_OUTCOME_ERROR: u32 = 8; // the cache's own
pub const HTTP_OUTCOME_COUNT: u32 = 9;

// A verdict is a list of patches: a u8 field, a u32 length and that many bytes, without gaps. An edit's bytes are a u16 length
// of the name, the name and the value.
pub const HTTP_FIELD_ACTION: u8 = 1; // request: u8 HTTPAction, u8 0, u16 status
pub const HTTP_FIELD_LOCATION: u8 = 2; // request: where redirect goes
pub const HTTP_FIELD_BODY: u8 = 3; // request: of deny and synth
pub const HTTP_FIELD_SET: u8 = 4; // request, response, deliver: edit, one line in the place of all of that name
pub const HTTP_FIELD_ADD: u8 = 5; // request, response, deliver: edit, one more line
pub const HTTP_FIELD_REMOVE: u8 = 6; // request, response, deliver: the name of a field that goes
pub const HTTP_FIELD_TARGET: u8 = 7; // key: path and query in the place of the request's
pub const HTTP_FIELD_HIDE: u8 = 8; // key: no bytes: the origin gets the request's own target
pub const HTTP_FIELD_EXTRA: u8 = 9; // key: bytes that are added to the key
pub const HTTP_FIELD_VARY: u8 = 10; // key: edit, a value in the place of the request's where Vary names the field
pub const HTTP_FIELD_LOOKUP: u8 = 11; // lookup: u8 HTTPLookup
pub const HTTP_FIELD_STORE: u8 = 12; // response: u8, 1 keeps it and 0 does not
pub const HTTP_FIELD_TTL: u8 = 13; // response: i64 milliseconds
pub const HTTP_FIELD_SWR: u8 = 14; // response: i64 milliseconds
pub const HTTP_FIELD_SIE: u8 = 15; // response: i64 milliseconds
pub const HTTP_FIELD_TAG: u8 = 16; // response: a tag, for purging
pub const HTTP_FIELD_REFUSE: u8 = 17; // admit: no bytes: it is not kept
pub const HTTP_FIELD_COUNT: u8 = 18;

// What a request comes to.
pub const HTTP_ACTION_PASS: u32 = 0;
pub const HTTP_ACTION_BYPASS: u32 = 1; // goes on to the origin by the cache
pub const HTTP_ACTION_DENY: u32 = 2; // is answered with a status from 400 to 599 and a body
pub const HTTP_ACTION_REDIRECT: u32 = 3; // is answered with a status 301, 302, 303, 307 or 308 and a location
pub const HTTP_ACTION_SYNTH: u32 = 4; // is answered with a status from 200 to 599, a header and a body
pub const HTTP_ACTION_COUNT: u32 = 5;

// What a stored response is used for.
pub const HTTP_LOOKUP_USE: u32 = 0; // as HTTP has it
pub const HTTP_LOOKUP_REVALIDATE: u32 = 1; // it is validated, even if it is fresh
pub const HTTP_LOOKUP_MISS: u32 = 2; // another one is fetched
pub const HTTP_LOOKUP_COUNT: u32 = 3;

// An event of HTTP, 32 bytes, of ec_observe.
pub const HTTP_EVENT_KEY_HASH: usize = 0; // u64: tells keys apart while the process lives
pub const HTTP_EVENT_TIME: usize = 8; // u64: unix nanoseconds at the end of the exchange
pub const HTTP_EVENT_ELAPSED: usize = 16; // u32: microseconds that it took
pub const HTTP_EVENT_SIZE: usize = 20; // u32: bytes of body that the client got
pub const HTTP_EVENT_AGE: usize = 24; // u32: seconds that the stored response was old
pub const HTTP_EVENT_STATUS: usize = 28; // u16
pub const HTTP_EVENT_METHOD: usize = 30; // u8: an HTTPMethod
pub const HTTP_EVENT_OUTCOME: usize = 31; // u8: an HTTPOutcome

// Limits of frames and verdicts, in bytes, or how many.
pub const MAX_HTTP_FRAME: usize = 65536; // a longer one is not shown to the guest
pub const MAX_HTTP_VERDICT: usize = 1 << 17; // as a whole
pub const MAX_HTTP_BODY: usize = 65536;
pub const MAX_HTTP_TARGET: usize = 32768;
pub const MAX_HTTP_EXTRA: usize = 1024;
pub const MAX_HTTP_EDITS: usize = 64;
pub const MAX_HTTP_VARY: usize = 16;
pub const MAX_HTTP_TAGS: usize = 64;
pub const MAX_HTTP_TAG: usize = 256;

// generated from hostabi by make docs: end

/// A guest. Its state stands in static memory, in each instance, and begins as NEW. Where that is not all zero it stands in
/// the module byte by byte: what is large begins as 0, and init sets the rest.
pub trait Plugin: Sized {
    const NEW: Self;

    /// Reads the configuration. An error's text is shown to the operator, and the plugin does not load. A plugin that does
    /// not implement this has no configuration.
    fn init(&mut self, config: &mut Config) -> Result<(), Error> {
        match config.text {
            [] | [b'{', b'}'] => Ok(()),
            _ => Err("the plugin has no configuration".into()),
        }
    }
}

/// The hook "before": ahead of a command.
pub trait Before: Plugin {
    fn before(&mut self, call: &mut Call) -> Action;
}

/// The hook "after": when a command has ended, well or not. Of the actions only none and respond are possible.
pub trait After: Plugin {
    fn after(&mut self, call: &mut Call, result: Outcome) -> Action;
}

/// The hook "observe": events of commands, up to EVENT_BATCH at a time.
pub trait Observe: Plugin {
    fn observe(&mut self, events: &[Event]);
}

/// Statistics: rows of SLOTS numbers, which are a label and the manifest's columns: two columns of kind sum make
/// `impl Stats<3>`.
pub trait Stats<const SLOTS: usize>: Plugin {
    fn stats(&mut self) -> &[[u64; SLOTS]];
}

/// After batches of events, and now and then between calls.
pub trait Idle: Plugin {
    fn idle(&mut self);
}

/// Makes the module a guest: `plugin!(Type: before, stats)` exports what the ABI asks for with each trait that is named, and
/// embeds the manifest, the file manifest.json beside the source. Once in a module.
///
/// A panic goes to the host's log with its text and place, and traps. So "log" stands under needs in the manifest, unless the
/// compiler finds nothing that can panic. A guest with the standard library says `plugin!(std Type: before)`.
#[macro_export]
macro_rules! __edgecache_plugin {
    (std $plugin:ty : $($hook:ident),+) => {
        edgecache::__module!($plugin, {
            std::panic::set_hook(std::boxed::Box::new(|info| edgecache::panicked(info)))
        });
        $(edgecache::__hook!($hook);)+
    };
    ($plugin:ty : $($hook:ident),+) => {
        edgecache::__module!($plugin, {});
        $(edgecache::__hook!($hook);)+

        #[panic_handler]
        fn __panic(info: &core::panic::PanicInfo) -> ! {
            edgecache::panicked(info)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __edgecache_module {
    ($plugin:ty, $start:block) => {
        fn __plugin() -> &'static mut $plugin {
            static mut PLUGIN: $plugin = <$plugin as edgecache::Plugin>::NEW;
            unsafe { &mut *core::ptr::addr_of_mut!(PLUGIN) } // the host makes one call at a time
        }

        #[used]
        #[link_section = "edgecache.manifest"]
        static __MANIFEST: [u8; include_bytes!("manifest.json").len()] = *include_bytes!("manifest.json");

        #[no_mangle]
        pub extern "C" fn edgecache_abi_hook_1() {}

        #[no_mangle]
        pub extern "C" fn ec_buf(min_size: usize) -> *mut u8 {
            edgecache::ec::buf(min_size)
        }

        #[no_mangle]
        pub extern "C" fn ec_init(config_len: usize, features: u64) -> usize {
            $start
            edgecache::ec::init(__plugin(), config_len, features)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __edgecache_hook {
    (before) => {
        #[no_mangle]
        pub extern "C" fn ec_before(op: u32, key_len: usize, value_len: usize, ttl_ms: i64, flags: u32) -> u64 {
            edgecache::ec::before(__plugin(), edgecache::ec::new_call(op, key_len, value_len, ttl_ms, flags))
        }
    };
    (after) => {
        #[no_mangle]
        pub extern "C" fn ec_after(op: u32, key_len: usize, result: u32, elapsed_ns: u64, value_len: usize) -> u64 {
            let call = edgecache::ec::new_call(op, key_len, value_len, 0, 0);
            edgecache::ec::after(__plugin(), call, result, elapsed_ns)
        }
    };
    (observe) => {
        static mut __EVENTS: edgecache::ec::Events = edgecache::ec::NO_EVENTS;

        #[no_mangle]
        pub extern "C" fn ec_events(capacity: usize) -> *mut edgecache::ec::Events {
            match capacity {
                0..=edgecache::EVENT_BATCH => unsafe { core::ptr::addr_of_mut!(__EVENTS) },
                _ => core::ptr::null_mut(),
            }
        }

        #[no_mangle]
        pub extern "C" fn ec_observe(n: usize) {
            edgecache::ec::observe(__plugin(), unsafe { &*core::ptr::addr_of!(__EVENTS) }, n)
        }
    };
    (stats) => {
        #[no_mangle]
        pub extern "C" fn ec_stats() -> u64 {
            edgecache::ec::stats(__plugin())
        }
    };
    (idle) => {
        #[no_mangle]
        pub extern "C" fn ec_idle() {
            edgecache::Idle::idle(__plugin())
        }
    };
}

pub use __edgecache_plugin as plugin;
#[doc(hidden)]
pub use {__edgecache_hook as __hook, __edgecache_module as __module};

/// What a hook wants done.
#[derive(Clone, Copy)]
pub struct Action(u64);

impl Action {
    /// Go on unchanged.
    pub const NONE: Action = Action(0);
    /// In before: a read misses, a write is skipped.
    pub const MISS: Action = Action(ACTION_MISS << ACTION_SHIFT);

    /// The action of this number, for who tests a host.
    pub const fn from_bits(bits: u64) -> Action {
        Action(bits)
    }
}

/// One key of a command. The numbers are those of docs/ABI.md: `op` is one of the OP constants.
pub struct Call {
    pub op: u32,
    /// Bytes of the value to write; in after of the one that was read.
    pub value_len: usize,
    /// Milliseconds or a TTL constant; 0 in after.
    pub ttl_ms: i64,
    /// CALL constants; 0 in after.
    pub flags: u32,
    key_len: usize,
    cookie_set: bool,
}

impl Call {
    /// The key. In after it is the one that went to the tiers.
    #[inline]
    pub fn key(&self) -> &[u8] {
        self.part(0, self.key_len)
    }

    /// The path of the namespace, empty for the root.
    #[inline]
    pub fn namespace(&self) -> &[u8] {
        self.part(self.key_len, self.header(BUF_NAMESPACE_LEN) as usize)
    }

    /// Key and path as they stand behind each other: what tells an entry from all others.
    #[inline]
    pub fn key_and_namespace(&self) -> &[u8] {
        self.part(0, self.key_len + self.header(BUF_NAMESPACE_LEN) as usize)
    }

    #[inline]
    fn part(&self, from: usize, len: usize) -> &[u8] {
        unsafe { slice::from_raw_parts(ec::call().add(BUF_KEY + from), len) }
    }

    /// The number of the namespace, the same while the process lives.
    #[inline]
    pub fn namespace_id(&self) -> u32 {
        self.header(BUF_NAMESPACE_ID)
    }

    /// Which key of the command this is, from 0, and how many it has.
    #[inline]
    pub fn batch(&self) -> (u32, u32) {
        (self.header(BUF_BATCH_INDEX), self.header(BUF_BATCH_LEN))
    }

    /// In after: what before of the same key and command left by set_cookie, else 0.
    #[inline]
    pub fn cookie(&self) -> u64 {
        unsafe { *(ec::call().add(BUF_COOKIE) as *const u64) }
    }

    /// In before: leaves a number for after. It may come to another instance.
    #[inline]
    pub fn set_cookie(&mut self, cookie: u64) {
        unsafe { *(ec::call().add(BUF_COOKIE) as *mut u64) = cookie }
        self.cookie_set = true;
    }

    #[inline]
    fn header(&self, offset: usize) -> u32 {
        unsafe { *(ec::call().add(offset) as *const u32) }
    }

    /// The key, which may be changed in place, and room for bytes that an action takes.
    #[inline]
    pub fn parts(&mut self) -> (&mut [u8], Out<'_>) {
        let key = unsafe { slice::from_raw_parts_mut(ec::call().add(BUF_KEY), self.key_len) };
        (key, Out { len: 0, call: core::marker::PhantomData })
    }

    /// As parts, with the path of the namespace in the middle.
    #[inline]
    pub fn parts_and_namespace(&mut self) -> (&mut [u8], &[u8], Out<'_>) {
        let len = self.header(BUF_NAMESPACE_LEN) as usize;
        let namespace = unsafe { slice::from_raw_parts(ec::call().add(BUF_KEY + self.key_len), len) };
        let (key, out) = self.parts();
        (key, namespace, out)
    }

    /// The key becomes what `parts` made of it in place, or a part of that.
    #[inline]
    pub fn rewrite(&self, part: Range<usize>) -> Action {
        if part.start > part.end || part.end > self.key_len {
            trap();
        }
        ec::action(ACTION_KEY, BUF_KEY + part.start, part.end - part.start)
    }

    /// Refuses the command. The reason is UTF-8 of up to 1,024 bytes.
    pub fn deny(&mut self, reason: &[u8]) -> Action {
        self.parts().1.with(reason).deny()
    }

    /// In before, of a read: `value` is the answer. In after: it replaces the value that was read.
    pub fn respond(&mut self, value: &[u8]) -> Action {
        self.parts().1.with(value).respond()
    }
}

/// How a command ended.
#[derive(Clone, Copy)]
pub struct Outcome {
    /// One of the OUTCOME constants.
    pub code: u32,
    /// The tier that answered: 1 is the nearest, 0 none.
    pub tier: u32,
    /// Nanoseconds that the command took, 0 unless something measures time.
    pub elapsed_ns: u64,
}

/// Bytes for an action. They stand behind the call buffer; memory grows where they need more, and an instance that may not
/// grow traps.
pub struct Out<'a> {
    len: usize,
    call: core::marker::PhantomData<&'a mut Call>,
}

impl<'a> Out<'a> {
    /// Appends bytes.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        copy(self.extend(bytes.len()), bytes)
    }

    /// Appends bytes and returns all there are.
    #[inline]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.push(bytes);
        self
    }

    /// Appends a number in decimal.
    pub fn push_number(&mut self, n: u64) {
        let mut text = Text::<20>::NEW;
        text.push_number(n);
        self.push(&text);
    }

    /// Appends n bytes, whatever they hold, and returns them.
    #[inline]
    pub fn extend(&mut self, n: usize) -> &mut [u8] {
        match self.try_extend(n) {
            Some(bytes) => bytes,
            None => trap(),
        }
    }

    /// Appends n bytes, whatever they hold, and returns them, or None if memory may not grow so far.
    #[inline]
    pub fn try_extend(&mut self, n: usize) -> Option<&mut [u8]> {
        let at = self.len;
        let len = at.checked_add(n)?;
        if len > ec::room() && !ec::grow_out(at, len) {
            return None;
        }
        self.len = len;
        Some(unsafe { slice::from_raw_parts_mut(ec::out().add(at), n) })
    }

    /// Takes away what has been appended.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// What has been appended.
    #[inline]
    pub fn bytes(&mut self) -> &mut [u8] {
        unsafe { slice::from_raw_parts_mut(ec::out(), self.len) }
    }

    /// A part of the bytes is the new key.
    #[inline]
    pub fn key_part(self, part: Range<usize>) -> Action {
        if part.start > part.end || part.end > self.len {
            trap();
        }
        ec::action(ACTION_KEY, ec::out_offset() + part.start, part.end - part.start)
    }

    /// The bytes are the new key.
    #[inline]
    pub fn key(self) -> Action {
        ec::action(ACTION_KEY, ec::out_offset(), self.len)
    }

    /// The bytes are the answer, see `Call::respond`.
    #[inline]
    pub fn respond(self) -> Action {
        ec::action(ACTION_RESPOND, ec::out_offset(), self.len)
    }

    /// The bytes are the reason for which the command is refused.
    #[inline]
    pub fn deny(self) -> Action {
        ec::action(ACTION_DENY, ec::out_offset(), self.len)
    }

    /// Changes several parts of the command: `out.patches().key(b"k").ttl(1000).action()`.
    #[inline]
    pub fn patches(self) -> Patches<'a> {
        Patches(self)
    }
}

/// Changes of a command. Of several of one field the last counts.
pub struct Patches<'a>(Out<'a>);

impl Patches<'_> {
    pub fn key(self, key: &[u8]) -> Self {
        self.patch(FIELD_KEY, key)
    }

    /// Milliseconds or a TTL constant.
    pub fn ttl(self, ms: i64) -> Self {
        self.patch(FIELD_TTL, &ms.to_le_bytes())
    }

    /// The new value, of commands that write one.
    pub fn value(self, value: &[u8]) -> Self {
        self.patch(FIELD_VALUE, value)
    }

    /// The path of the namespace to move to, empty for the root.
    pub fn namespace(self, path: &[u8]) -> Self {
        self.patch(FIELD_NAMESPACE, path)
    }

    #[inline]
    fn patch(mut self, field: u8, bytes: &[u8]) -> Self {
        self.0.push(&[field]);
        self.0.push(&(bytes.len() as u32).to_le_bytes());
        self.0.push(bytes);
        self
    }

    pub fn action(self) -> Action {
        ec::action(ACTION_EXT, ec::out_offset(), self.0.len)
    }
}

/// One key of a command that has ended.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    pub key_hash: u64,
    /// Unix nanoseconds.
    pub time: u64,
    /// Nanoseconds.
    pub elapsed: u32,
    /// Bytes.
    pub value_size: u32,
    /// Seconds.
    pub ttl: u32,
    pub namespace_id: u16,
    /// The operation, with EVENT_CONTINUED for every key of a command but the first.
    pub op: u8,
    /// Outcome in the low four bits, tier in the high four.
    pub result: u8,
}

impl Event {
    /// One of the OP constants.
    #[inline]
    pub fn op(&self) -> u32 {
        self.op as u32 & !EVENT_CONTINUED
    }

    /// Whether this is a further key of a command.
    #[inline]
    pub fn continued(&self) -> bool {
        self.op as u32 & EVENT_CONTINUED != 0
    }

    /// One of the OUTCOME constants.
    #[inline]
    pub fn outcome(&self) -> u32 {
        self.result as u32 & OUTCOME_MASK
    }

    /// The tier that answered: 1 is the nearest, 0 none.
    #[inline]
    pub fn tier(&self) -> u32 {
        self.result as u32 >> TIER_SHIFT
    }
}

const _: () = assert!(mem::size_of::<Event>() == EVENT_SIZE);

/// The first slot of a row of statistics; 0 is all operations, NAMESPACE_ALL all namespaces.
#[inline]
pub const fn label(op: u32, namespace_id: u32) -> u64 {
    (op as u64) << LABEL_OP | (namespace_id as u64) << LABEL_NAMESPACE
}

/// Up to N bytes in place, such as a text of the configuration.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    pub const NEW: Self = Text { len: 0, bytes: [0; N] };

    /// Appends bytes, all or none, and says which.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let to = self.bytes.get_mut(self.len..).and_then(|rest| rest.get_mut(..bytes.len()));
        if let Some(to) = to {
            copy(to, bytes);
            self.len += bytes.len();
            return true;
        }
        false
    }

    /// Puts bytes in the place of what there was, if they fit, and says whether they did.
    pub fn set(&mut self, bytes: &[u8]) -> bool {
        self.len = 0;
        self.push(bytes)
    }

    /// Appends a number in decimal, if it fits.
    pub fn push_number(&mut self, n: u64) -> bool {
        (n < 10 || self.push_number(n / 10)) && self.push(&[b'0' + (n % 10) as u8])
    }
}

impl<const N: usize> Deref for Text<N> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    /// Cuts off what does not fit.
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let room = N.saturating_sub(self.len);
        self.push(s.as_bytes().get(..room).unwrap_or(s.as_bytes()));
        Ok(())
    }
}

/// Why a configuration is refused: a text, such as `Err("no rules".into())`, or what a method of Config found.
pub struct Error(&'static str);

impl From<&'static str> for Error {
    fn from(text: &'static str) -> Self {
        Error(text)
    }
}

/// The configuration, and a strict reader of JSON that is told what to expect and says what it found instead, and where.
pub struct Config<'a> {
    pub text: &'a mut [u8],
    /// FEATURE constants: what was granted.
    pub features: u64,
    at: usize,
    field_at: usize,
    message: Text<256>,
}

impl Config<'_> {
    /// An error in these words, up to 256 bytes.
    pub fn refuse(&mut self, text: &str) -> Error {
        self.message = Text::NEW;
        self.say(text);
        Error("")
    }

    /// An error about the byte at.
    pub fn fail(&mut self, at: usize, text: &str) -> Error {
        self.message.set(b"config byte ");
        self.message.push_number(at as u64);
        self.say(": ").say(text);
        Error("")
    }

    /// An error about the byte at that quotes up to 40 bytes of word, with ? for what is not plain ASCII.
    pub fn fail_quoted(&mut self, at: usize, before: &str, word: &[u8], after: &str) -> Error {
        self.fail(at, before);
        self.quote(word).say(after);
        Error("")
    }

    /// An error because something else than what stands here.
    pub fn want(&mut self, what: &str) -> Error {
        let at = self.place();
        self.fail(at, "want ");
        self.say(what).found()
    }

    fn found(&mut self) -> Error {
        self.say(", found ");
        match self.text.get(self.at) {
            Some(&c) => self.quote(&[c]),
            None => self.say("the end"),
        };
        Error("")
    }

    #[inline(never)]
    fn say(&mut self, text: &str) -> &mut Self {
        self.message.push(text.as_bytes());
        self
    }

    fn quote(&mut self, word: &[u8]) -> &mut Self {
        self.say("\"");
        for &c in word.iter().take(40) {
            let plain = matches!(c, b' '..=b'~') && c != b'"' && c != b'\\';
            self.message.push(&[if plain { c } else { b'?' }]);
        }
        self.say("\"")
    }

    /// Steps over white space and returns the next byte without taking it, or 0 at the end.
    fn peek(&mut self) -> u8 {
        while let Some(&c) = self.text.get(self.at) {
            if !matches!(c, b' ' | b'\t' | b'\n' | b'\r') {
                return c;
            }
            self.at += 1;
        }
        0
    }

    /// Where the next value begins.
    pub fn place(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// Where the name of the last field stands.
    pub fn field_place(&self) -> usize {
        self.field_at
    }

    fn take(&mut self, c: u8) -> bool {
        let taken = self.peek() == c;
        self.at += taken as usize;
        taken
    }

    /// Reads a whole configuration that is an object. No bytes at all are one without fields. See `fields`.
    pub fn object(
        &mut self,
        known: &'static str,
        field: impl FnMut(&mut Self, &'static str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.text.is_empty() {
            return Ok(());
        }
        self.fields(known, field)?;
        if self.place() < self.text.len() {
            return Err(self.want("nothing more"));
        }
        Ok(())
    }

    /// Reads the object that stands here: calls field with the name of each field, for it to read the value. The names are
    /// the words in known but "and" and "or", up to 32, as in "min, max and name"; others are errors.
    pub fn fields(
        &mut self,
        known: &'static str,
        mut field: impl FnMut(&mut Self, &'static str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut seen = 0;
        if !self.take(b'{') {
            return Err(self.want("an object"));
        }
        self.elements(b'}', "a comma or the end of the object", |config| {
            let name = config.name(known, &mut seen)?;
            field(config, name)
        })
    }

    /// Reads the array that stands here: calls element for it to read each value.
    pub fn list(&mut self, element: impl FnMut(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        if !self.take(b'[') {
            return Err(self.want("an array"));
        }
        self.elements(b']', "a comma or the end of the array", element)
    }

    fn elements(
        &mut self,
        end: u8,
        separator: &str,
        mut element: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut first = true;
        while !self.take(end) {
            if !mem::take(&mut first) && !self.take(b',') {
                return Err(self.want(separator));
            }
            element(self)?;
        }
        Ok(())
    }

    /// Reads the name of a field and its colon. seen has a bit for each name that there was.
    fn name(&mut self, known: &'static str, seen: &mut u32) -> Result<&'static str, Error> {
        let at = self.place();
        self.field_at = at;
        let name = self.string_range()?;
        let word = self.text.get(name.clone()).unwrap_or(&[]);
        let place = names(known).position(|n| n.as_bytes() == word);
        let bit = 1u32.wrapping_shl(place.unwrap_or(0) as u32);
        let problem = match place {
            None => "unknown field ",
            Some(_) if *seen & bit != 0 => "field ",
            Some(_) if self.take(b':') => "",
            Some(_) => return Err(self.want("a colon")),
        };
        *seen |= bit;
        if problem.is_empty() {
            return Ok(place.and_then(|i| names(known).nth(i)).unwrap_or(""));
        }
        let text = mem::take(&mut self.text); // for good, since this is an error
        let word = text.get(name).unwrap_or(&[]);
        self.fail_quoted(at, problem, word, if place.is_some() { " appears twice" } else { ": want " });
        if place.is_none() {
            self.say(known);
        }
        Err(Error(""))
    }

    /// Reads a string. Its bytes need not be UTF-8.
    pub fn string(&mut self) -> Result<&[u8], Error> {
        let range = self.string_range()?;
        Ok(self.text.get(range).unwrap_or(&[]))
    }

    /// Reads a string into text.
    pub fn string_into<const N: usize>(&mut self, text: &mut Text<N>) -> Result<(), Error> {
        let at = self.place();
        if text.set(self.string()?) {
            return Ok(());
        }
        self.fail(at, "string of more than ");
        self.message.push_number(N as u64);
        self.say(" bytes");
        Err(Error(""))
    }

    /// Reads a string, in place: what it means is never longer than what it is written as.
    fn string_range(&mut self) -> Result<Range<usize>, Error> {
        if !self.take(b'"') {
            return Err(self.want("a string"));
        }
        let start = self.at;
        let mut end = start;
        while let Some(&c) = self.text.get(self.at) {
            self.at += 1;
            match c {
                b'"' => return Ok(start..end),
                0..=0x1f => return Err(self.fail(self.at - 1, "control character in a string")),
                b'\\' => {
                    let meant = self.escape()?;
                    for &b in meant.encode_utf8(&mut [0; 4]).as_bytes() {
                        self.put(&mut end, b);
                    }
                }
                _ => self.put(&mut end, c),
            }
        }
        Err(self.fail(start - 1, "string without an end"))
    }

    fn put(&mut self, end: &mut usize, c: u8) {
        if let Some(b) = self.text.get_mut(*end) {
            *b = c;
        }
        *end += 1;
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char, Error> {
        let at = self.at - 1;
        let c = self.text.get(self.at).copied();
        self.at += 1;
        let meant = match c {
            Some(c @ (b'"' | b'\\' | b'/')) => Some(c as char),
            Some(b'b') => Some('\x08'),
            Some(b'f') => Some('\x0c'),
            Some(b'n') => Some('\n'),
            Some(b'r') => Some('\r'),
            Some(b't') => Some('\t'),
            Some(b'u') => self.rune(),
            _ => None,
        };
        meant.ok_or_else(|| self.fail(at, "bad escape in a string"))
    }

    /// Reads what follows \u, with the second half of a surrogate pair.
    fn rune(&mut self) -> Option<char> {
        let high = self.hex()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high);
        }
        if !self.text.get(self.at..)?.starts_with(b"\\u") {
            return None;
        }
        self.at += 2;
        match self.hex()? {
            low @ 0xdc00..=0xdfff => char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)),
            _ => None,
        }
    }

    /// Reads four hexadecimal digits.
    fn hex(&mut self) -> Option<u32> {
        let mut v = 0;
        for _ in 0..4 {
            let c = *self.text.get(self.at)?;
            v = v << 4 | (c as char).to_digit(16)?;
            self.at += 1;
        }
        Some(v)
    }

    /// Reads true or false.
    pub fn boolean(&mut self) -> Result<bool, Error> {
        Ok(match self.peek() {
            b't' => self.word("true").map(|()| true),
            b'f' => self.word("false").map(|()| false),
            _ => Err(self.want("true or false")),
        }?)
    }

    /// Reads the given word.
    pub fn word(&mut self, word: &str) -> Result<(), Error> {
        let at = self.place();
        if !self.text.get(at..).unwrap_or(&[]).starts_with(word.as_bytes()) {
            return Err(self.want(word));
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads a whole number from least to most, which is at most 2^60.
    pub fn number(&mut self, least: u64, most: u64) -> Result<u64, Error> {
        let start = self.place();
        let mut v = 0;
        while let Some(&c @ b'0'..=b'9') = self.text.get(self.at) {
            if v > most {
                break;
            }
            v = v * 10 + (c - b'0') as u64;
            self.at += 1;
        }
        let digits = self.at - start;
        let zero = digits > 1 && self.text.get(start) == Some(&b'0');
        if digits > 0 && !zero && (least..=most).contains(&v) {
            return Ok(v);
        }
        self.at = start;
        self.fail(start, "want a number from ");
        self.message.push_number(least);
        self.say(" to ");
        self.message.push_number(most);
        Err(self.found())
    }
}

/// The words of a list such as "a, b and c".
fn names(known: &'static str) -> impl Iterator<Item = &'static str> {
    let words = known.as_bytes().split(|c| matches!(c, b' ' | b','));
    let names = words.filter(|w| !matches!(*w, b"and" | b"or" | b""));
    names.map(|w| unsafe { str::from_utf8_unchecked(w) })
}

mod host {
    #[link(wasm_import_module = "edgecache_1")]
    extern "C" {
        pub fn log(level: u32, text: *const u8, len: usize);
        pub fn log_enabled(level: u32) -> u32;
        pub fn now_ns() -> u64;
        pub fn mono_ns() -> u64;
        pub fn random(to: *mut u8, len: usize);
        pub fn hash64(bytes: *const u8, len: usize) -> u64;
        pub fn value_read(offset: usize, to: *mut u8, len: usize) -> usize;
        pub fn value_write(value: *const u8, len: usize) -> u32;
        pub fn kv_get(key: *const u8, key_len: usize, to: *mut u8, room: usize) -> i64;
        pub fn kv_set(key: *const u8, key_len: usize, value: *const u8, len: usize, ttl_ms: i64) -> i32;
        pub fn kv_cas(
            key: *const u8,
            key_len: usize,
            old: *const u8,
            old_len: i32,
            new: *const u8,
            new_len: usize,
            ttl_ms: i64,
        ) -> i32;
        pub fn kv_add(key: *const u8, key_len: usize, delta: i64, ttl_ms: i64) -> i64;
        pub fn kv_delete(key: *const u8, key_len: usize) -> i32;
        pub fn metric_define(kind: u32, name: *const u8, len: usize) -> i32;
        pub fn counter_add(metric: i32, delta: u64);
        pub fn gauge_set(metric: i32, value: i64);
        pub fn hist_record(metric: i32, value: u64);
        pub fn span_attr(key: *const u8, key_len: usize, value: *const u8, value_len: usize);
    }
}

/// Needs "log": writes a line of up to MAX_LOG bytes. The host limits how many.
pub fn log(level: u32, text: impl AsRef<[u8]>) {
    let text = text.as_ref();
    unsafe { host::log(level, text.as_ptr(), text.len()) }
}

/// Needs "log": whether a line of that level would be written.
pub fn log_enabled(level: u32) -> bool {
    unsafe { host::log_enabled(level) != 0 }
}

/// Needs "clock": unix nanoseconds.
pub fn now_ns() -> u64 {
    unsafe { host::now_ns() }
}

/// Needs "clock": nanoseconds that never go back.
pub fn mono_ns() -> u64 {
    unsafe { host::mono_ns() }
}

/// Needs "rng": fills to with random bytes.
pub fn random(to: &mut [u8]) {
    for part in to.chunks_mut(MAX_RANDOM) {
        unsafe { host::random(part.as_mut_ptr(), part.len()) }
    }
}

/// XXH64 with seed 0.
pub fn hash64(bytes: &[u8]) -> u64 {
    unsafe { host::hash64(bytes.as_ptr(), bytes.len()) }
}

/// Needs "value": copies what to takes of the call's value, from offset on, and returns how many bytes there were to copy. In
/// before it is the value to write, in after the one that was read.
pub fn value_read(offset: usize, to: &mut [u8]) -> usize {
    unsafe { host::value_read(offset, to.as_mut_ptr(), to.len()) }
}

/// Needs "value": makes value the call's from here on, and says whether the call has one.
pub fn value_write(value: &[u8]) -> bool {
    unsafe { host::value_write(value.as_ptr(), value.len()) == 1 }
}

/// The plugin's share is used up, or key or value are too long.
#[derive(Debug)]
pub struct Full;

/// Needs "kv": copies what into takes of an entry and returns the length of all of it, or None if there is none.
pub fn kv_get(key: &[u8], into: &mut [u8]) -> Option<usize> {
    let n = unsafe { host::kv_get(key.as_ptr(), key.len(), into.as_mut_ptr(), into.len()) };
    usize::try_from(n).ok()
}

/// Needs "kv": sets an entry. A time to live of 0 or less is none.
pub fn kv_set(key: &[u8], value: &[u8], ttl_ms: i64) -> Result<(), Full> {
    match unsafe { host::kv_set(key.as_ptr(), key.len(), value.as_ptr(), value.len(), ttl_ms) } {
        KV_OK => Ok(()),
        _ => Err(Full),
    }
}

/// Needs "kv": sets an entry if it is old, or absent where that is None, and says whether it was.
pub fn kv_cas(key: &[u8], old: Option<&[u8]>, new: &[u8], ttl_ms: i64) -> Result<bool, Full> {
    let (old, old_len) = old.map_or((ptr::null(), KV_NONE), |old| (old.as_ptr(), old.len() as i32));
    match unsafe { host::kv_cas(key.as_ptr(), key.len(), old, old_len, new.as_ptr(), new.len(), ttl_ms) } {
        KV_OK => Ok(true),
        KV_DIFFERS => Ok(false),
        _ => Err(Full),
    }
}

/// Needs "kv": adds to an entry of 8 bytes, absent counts as 0, and returns the sum, or None if the entry is no number or the
/// share is used up. The time to live counts from the first addition.
pub fn kv_add(key: &[u8], delta: i64, ttl_ms: i64) -> Option<i64> {
    match unsafe { host::kv_add(key.as_ptr(), key.len(), delta, ttl_ms) } {
        KV_FAILED => None,
        sum => Some(sum),
    }
}

/// Needs "kv": deletes an entry and says whether there was one.
pub fn kv_delete(key: &[u8]) -> bool {
    unsafe { host::kv_delete(key.as_ptr(), key.len()) == KV_OK }
}

/// A metric that has not been defined does nothing.
macro_rules! metric {
    ($(#[$doc:meta])* $name:ident, $kind:expr, $method:ident, $number:ty, $import:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq)]
        pub struct $name(i32);

        impl $name {
            /// One that does nothing until it is defined.
            pub const NEW: Self = $name(-1);

            /// In init: gives it its name.
            pub fn define(&mut self, name: &str) -> Result<(), Error> {
                self.0 = unsafe { host::metric_define($kind, name.as_ptr(), name.len()) };
                if self.0 < 0 { Err("more metrics than a plugin may have".into()) } else { Ok(()) }
            }

            pub fn $method(&self, n: $number) {
                if self.0 >= 0 {
                    unsafe { host::$import(self.0, n) }
                }
            }
        }
    };
}

metric!(/** Needs "metrics": a number that only grows. */ Counter, METRIC_COUNTER, add, u64, counter_add);
metric!(/** Needs "metrics": a number that is now so. */ Gauge, METRIC_GAUGE, set, i64, gauge_set);
metric!(/** Needs "metrics": a distribution. */ Histogram, METRIC_HISTOGRAM, record, u64, hist_record);

/// Needs "trace": an attribute of the command's span, if the command is traced.
pub fn span_attr(key: &str, value: impl AsRef<[u8]>) {
    let value = value.as_ref();
    unsafe { host::span_attr(key.as_ptr(), key.len(), value.as_ptr(), value.len()) }
}

/// Takes n bytes of new memory, all 0, for good; None if memory may not grow so far.
pub fn grow(n: usize) -> Option<&'static mut [u8]> {
    const PAGE: usize = 1 << 16;
    let page = core::arch::wasm32::memory_grow(0, n / PAGE + (n % PAGE > 0) as usize);
    if page == usize::MAX {
        return None;
    }
    Some(unsafe { slice::from_raw_parts_mut((page * PAGE) as *mut u8, n) })
}

/// Ends the call. The host gives the instance up.
#[cold]
pub fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

/// What a panic handler or hook does: the text and place of the panic go to the log.
#[doc(hidden)]
pub fn panicked(what: &dyn fmt::Display) -> ! {
    let mut text = Text::<512>::NEW;
    let _ = fmt::write(&mut text, format_args!("{}", what));
    log(LOG_ERROR, &*text);
    trap()
}

/// Copies from, which must be as long as to, without leaving the guest's code if it is short.
#[inline]
pub fn copy(to: &mut [u8], from: &[u8]) {
    if to.len() != from.len() {
        trap()
    }
    unsafe { copy_bytes(to.as_mut_ptr(), from.as_ptr(), from.len()) }
}

/// Copies n bytes between places that do not overlap.
#[inline]
unsafe fn copy_bytes(to: *mut u8, from: *const u8, n: usize) {
    if n > 128 {
        return ptr::copy_nonoverlapping(from, to, n);
    }
    macro_rules! word {
        ($word:ty, $at:expr) => {
            (to.add($at) as *mut $word).write_unaligned((from.add($at) as *const $word).read_unaligned())
        };
    }
    if n >= 8 {
        let mut i = 0;
        while i < n - 8 {
            word!(u64, i);
            i += 8;
        }
        word!(u64, n - 8) // overlaps the word before it unless n is a multiple of 8
    } else if n >= 4 {
        word!(u32, 0);
        word!(u32, n - 4)
    } else if n > 0 {
        *to = *from;
        word!(u8, n / 2);
        word!(u8, n - 1)
    }
}

/// What plugin! makes of the calls, and the memory that they share with the host.
#[doc(hidden)]
pub mod ec {
    use super::*;

    const SMALL_CALL: usize = 4096; // calls up to this need no more memory than the module begins with
    const SMALL_OUT: usize = 2 * SMALL_CALL;
    const LARGE_CALL: usize = BUF_KEY + (1 << 16); // as long as key and path can be together

    // An action's offset counts from the start of the call buffer, so the bytes for actions stand behind it.
    #[repr(C, align(8))]
    struct Small {
        call: [u8; SMALL_CALL],
        out: [u8; SMALL_OUT],
    }

    static mut SMALL: Small = Small { call: [0; SMALL_CALL], out: [0; SMALL_OUT] };
    static mut CALL: *mut u8 = ptr::null_mut(); // set by the first call of buf, which is the host's first call
    static mut CALL_SIZE: usize = 0;
    static mut OUT: *mut u8 = ptr::null_mut();
    static mut ROOM: usize = 0;

    #[inline]
    pub fn call() -> *mut u8 {
        unsafe { CALL }
    }

    #[inline]
    pub fn out() -> *mut u8 {
        unsafe { OUT }
    }

    #[inline]
    pub fn out_offset() -> usize {
        out() as usize - call() as usize
    }

    #[inline]
    pub fn room() -> usize {
        unsafe { ROOM }
    }

    #[inline]
    pub fn action(what: u64, offset: usize, len: usize) -> Action {
        Action(what << ACTION_SHIFT | (offset as u64) << OFFSET_SHIFT | len as u64)
    }

    /// Returns the call buffer, or null for more than LARGE_CALL bytes or where memory may not grow so far.
    pub fn buf(min_size: usize) -> *mut u8 {
        unsafe {
            if CALL.is_null() {
                CALL = ptr::addr_of_mut!(SMALL.call) as *mut u8;
                OUT = ptr::addr_of_mut!(SMALL.out) as *mut u8;
                (CALL_SIZE, ROOM) = (SMALL_CALL, SMALL_OUT);
            }
            if min_size > LARGE_CALL || min_size > CALL_SIZE && !grow_call() {
                return ptr::null_mut();
            }
            CALL
        }
    }

    /// Moves the call buffer to new memory, and the bytes for actions behind it.
    unsafe fn grow_call() -> bool {
        match grow(LARGE_CALL + ROOM) {
            Some(memory) => {
                CALL = memory.as_mut_ptr();
                CALL_SIZE = LARGE_CALL;
                OUT = CALL.add(LARGE_CALL);
                true
            }
            None => false,
        }
    }

    /// Moves the bytes for actions, of which used are in use, to new memory for need bytes at least.
    #[cold]
    pub fn grow_out(used: usize, need: usize) -> bool {
        let most = OFFSET_MASK as usize;
        match grow(need.max(2 * room())) {
            Some(memory) if memory.as_ptr() as usize - call() as usize + need <= most => unsafe {
                ptr::copy_nonoverlapping(OUT, memory.as_mut_ptr(), used);
                (OUT, ROOM) = (memory.as_mut_ptr(), memory.len());
                true
            },
            _ => false,
        }
    }

    pub fn init<P: Plugin>(plugin: &mut P, config_len: usize, features: u64) -> usize {
        let text = unsafe { slice::from_raw_parts_mut(call().add(BUF_KEY), config_len) };
        let mut config = Config { text, features, at: 0, field_at: 0, message: Text::NEW };
        let reason = match plugin.init(&mut config) {
            Ok(()) => return 0,
            Err(Error("")) if config.message.is_empty() => b"bad configuration",
            Err(Error("")) => &*config.message,
            Err(Error(text)) => text.as_bytes(),
        };
        let n = reason.len().min(MIN_BUF - BUF_KEY);
        unsafe { ptr::copy_nonoverlapping(reason.as_ptr(), call().add(BUF_KEY), n) }
        n
    }

    #[inline]
    pub fn new_call(op: u32, key_len: usize, value_len: usize, ttl_ms: i64, flags: u32) -> Call {
        Call { op, value_len, ttl_ms, flags, key_len, cookie_set: false }
    }

    #[inline]
    pub fn before<P: Before>(plugin: &mut P, mut call: Call) -> u64 {
        let Action(action) = plugin.before(&mut call);
        match call.cookie_set {
            true => action | ACTION_COOKIE,
            false => action,
        }
    }

    #[inline]
    pub fn after<P: After>(plugin: &mut P, mut call: Call, result: u32, elapsed_ns: u64) -> u64 {
        let outcome = Outcome { code: result & OUTCOME_MASK, tier: result >> TIER_SHIFT, elapsed_ns };
        plugin.after(&mut call, outcome).0
    }

    pub type Events = [Event; EVENT_BATCH];

    const NO_EVENT: Event =
        Event { key_hash: 0, time: 0, elapsed: 0, value_size: 0, ttl: 0, namespace_id: 0, op: 0, result: 0 };
    pub const NO_EVENTS: Events = [NO_EVENT; EVENT_BATCH];

    #[inline]
    pub fn observe<P: Observe>(plugin: &mut P, events: &Events, n: usize) {
        match events.get(..n) {
            Some(events) => plugin.observe(events),
            None => trap(),
        }
    }

    pub fn stats<const SLOTS: usize, P: Stats<SLOTS>>(plugin: &mut P) -> u64 {
        let rows = plugin.stats();
        (rows.as_ptr() as u64) << 32 | rows.len() as u64
    }
}
