//! http is what hooks of HTTP need: a plugin is called at phases of an exchange, looks at a frame and writes a verdict.
//! docs/ABI.md explains both, docs/PLUGINS-HTTP.md what a hook may do.
//!
//! ```text
//! #![no_std]
//! use edgecache::{http::*, *};
//!
//! struct Guard;
//!
//! impl Plugin for Guard {
//!     const NEW: Self = Guard;
//! }
//!
//! impl Http for Guard {
//!     fn call(&mut self, frame: &Frame, verdict: &mut Verdict) {
//!         if frame.target().starts_with(b"/admin") {
//!             verdict.deny(403, b"not for you\n");
//!         }
//!     }
//! }
//!
//! http!(Guard);
//! ```

use super::*;

/// Hooks of HTTP: called in the phases that the manifest names.
pub trait Http: Plugin {
    /// One phase of an exchange: `frame.phase()`. A verdict that stays empty lets the exchange go on.
    fn call(&mut self, frame: &Frame, verdict: &mut Verdict);
}

/// The phase "event": exchanges that have ended, up to EVENT_BATCH at a time.
pub trait Watch: Plugin {
    fn watch(&mut self, events: &[HttpEvent]);
}

/// Makes the module a guest of HTTP: `http!(Type)`, or `http!(Type: watch, stats, idle)` with what the type has of those. It
/// embeds the manifest, the file manifest.json beside the source. Once in a module. For panics see plugin!.
#[macro_export]
macro_rules! __edgecache_http {
    ($plugin:ty $(: $($more:ident),+)?) => {
        fn __plugin() -> &'static mut $plugin {
            static mut PLUGIN: $plugin = <$plugin as edgecache::Plugin>::NEW;
            unsafe { &mut *core::ptr::addr_of_mut!(PLUGIN) } // the host makes one call at a time
        }

        #[used]
        #[link_section = "edgecache.manifest"]
        static __MANIFEST: [u8; include_bytes!("manifest.json").len()] = *include_bytes!("manifest.json");

        #[no_mangle]
        pub extern "C" fn edgecache_abi_http_1() {}

        #[no_mangle]
        pub extern "C" fn ec_buf(min_size: usize) -> *mut u8 {
            edgecache::ec::buf(min_size)
        }

        #[no_mangle]
        pub extern "C" fn ec_init(config_len: usize, features: u64) -> usize {
            edgecache::ec::init(__plugin(), config_len, features)
        }

        #[no_mangle]
        pub extern "C" fn ec_http(_phase: u32, len: usize) -> u64 {
            edgecache::http::ec::call(__plugin(), len)
        }

        $($(edgecache::http::__more!($more);)+)?

        #[panic_handler]
        fn __panic(info: &core::panic::PanicInfo) -> ! {
            edgecache::panicked(info)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __edgecache_http_more {
    (watch) => {
        static mut __EVENTS: edgecache::http::ec::Events = edgecache::http::ec::NO_EVENTS;

        #[no_mangle]
        pub extern "C" fn ec_events(capacity: usize) -> *mut edgecache::http::ec::Events {
            match capacity {
                0..=edgecache::EVENT_BATCH => unsafe { core::ptr::addr_of_mut!(__EVENTS) },
                _ => core::ptr::null_mut(),
            }
        }

        #[no_mangle]
        pub extern "C" fn ec_observe(n: usize) {
            edgecache::http::ec::watch(__plugin(), unsafe { &*core::ptr::addr_of!(__EVENTS) }, n)
        }
    };
    (stats) => {
        edgecache::__hook!(stats);
    };
    (idle) => {
        edgecache::__hook!(idle);
    };
}

pub use __edgecache_http as http;
#[doc(hidden)]
pub use __edgecache_http_more as __more;

/// What the host shows of an exchange. Times are in milliseconds.
pub struct Frame<'a>(&'a [u8]);

impl<'a> Frame<'a> {
    /// One of the HTTP_PHASE constants.
    #[inline]
    pub fn phase(&self) -> u32 {
        self.byte(HTTP_FRAME_PHASE)
    }

    /// One of the HTTP_METHOD constants.
    #[inline]
    pub fn method_number(&self) -> u32 {
        self.byte(HTTP_FRAME_METHOD_NUMBER)
    }

    pub fn method(&self) -> &'a [u8] {
        self.text(HTTP_FRAME_METHOD)
    }

    pub fn is_https(&self) -> bool {
        self.byte(HTTP_FRAME_SCHEME) == 1
    }

    /// In lower case.
    pub fn host(&self) -> &'a [u8] {
        self.text(HTTP_FRAME_HOST)
    }

    /// Path and query.
    pub fn target(&self) -> &'a [u8] {
        self.text(HTTP_FRAME_TARGET)
    }

    /// The client's address: 4 or 16 bytes, none if it is not known.
    pub fn client(&self) -> &'a [u8] {
        let len = match self.byte(HTTP_FRAME_FAMILY) {
            4 => 4,
            6 => 16,
            _ => 0,
        };
        self.bytes(HTTP_FRAME_CLIENT, len)
    }

    /// Of the response, in lookup, response, admit and deliver.
    pub fn status(&self) -> u32 {
        self.byte(HTTP_FRAME_STATUS) | self.byte(HTTP_FRAME_STATUS + 1) << 8
    }

    /// In deliver: one of the HTTP_OUTCOME constants.
    pub fn outcome(&self) -> u32 {
        self.byte(HTTP_FRAME_OUTCOME)
    }

    /// In response: no-store, private or Authorization forbid to keep it.
    pub fn is_barred(&self) -> bool {
        self.byte(HTTP_FRAME_FLAGS) & HTTP_FLAG_BARRED != 0
    }

    /// In response: it is kept, unless the verdict says otherwise.
    pub fn is_stored(&self) -> bool {
        self.byte(HTTP_FRAME_FLAGS) & HTTP_FLAG_STORE != 0
    }

    pub fn age(&self) -> i64 {
        self.number(HTTP_FRAME_AGE)
    }

    pub fn ttl(&self) -> i64 {
        self.number(HTTP_FRAME_TTL)
    }

    pub fn swr(&self) -> i64 {
        self.number(HTTP_FRAME_SWR)
    }

    pub fn sie(&self) -> i64 {
        self.number(HTTP_FRAME_SIE)
    }

    /// The length of the body, or -1 if it is not known.
    pub fn body_len(&self) -> i64 {
        self.number(HTTP_FRAME_BODY)
    }

    /// In admit: a hash of the key, and about how often it was asked for lately, 0 if that is not known.
    pub fn key_hash(&self) -> u64 {
        self.number(HTTP_FRAME_KEY_HASH) as u64
    }

    pub fn frequency(&self) -> u32 {
        self.word(HTTP_FRAME_FREQUENCY) as u32
    }

    /// The first line of the request's field that is the name-th of the manifest's headers, from 0 on.
    pub fn header(&self, name: usize) -> Option<&'a [u8]> {
        self.headers(name).next()
    }

    /// All lines of that field.
    pub fn headers(&self, name: usize) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.lines(HTTP_FRAME_REQUEST_LINES, name)
    }

    /// The first line of the response's field that is the name-th of the manifest's response_headers, from 0 on.
    pub fn response_header(&self, name: usize) -> Option<&'a [u8]> {
        self.response_headers(name).next()
    }

    /// All lines of that field.
    pub fn response_headers(&self, name: usize) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.lines(HTTP_FRAME_RESPONSE_LINES, name)
    }

    fn lines(&self, field: usize, name: usize) -> impl Iterator<Item = &'a [u8]> + '_ {
        let lines = self.bytes(self.word(field), self.word(field + 4) * HTTP_LINE_SIZE);
        let of_name = move |line: &&[u8]| line[HTTP_LINE_NAME] as usize | (line[HTTP_LINE_NAME + 1] as usize) << 8 == name;
        lines.chunks_exact(HTTP_LINE_SIZE).filter(of_name).map(move |line| {
            let frame = Frame(line);
            self.bytes(frame.word(HTTP_LINE_OFFSET), frame.word(HTTP_LINE_LENGTH))
        })
    }

    #[inline]
    fn bytes(&self, at: usize, len: usize) -> &'a [u8] {
        match self.0.get(at..).and_then(|rest| rest.get(..len)) {
            Some(bytes) => bytes,
            None => trap(),
        }
    }

    #[inline]
    fn byte(&self, at: usize) -> u32 {
        self.bytes(at, 1)[0] as u32
    }

    #[inline]
    fn word(&self, at: usize) -> usize {
        let mut word = [0; 4];
        word.copy_from_slice(self.bytes(at, 4));
        u32::from_le_bytes(word) as usize
    }

    #[inline]
    fn number(&self, at: usize) -> i64 {
        let mut number = [0; 8];
        number.copy_from_slice(self.bytes(at, 8));
        i64::from_le_bytes(number)
    }

    #[inline]
    fn text(&self, field: usize) -> &'a [u8] {
        self.bytes(self.word(field), self.word(field + 4))
    }
}

/// What becomes of the exchange. What a phase has no use for fails the guest: docs/ABI.md says what belongs where.
pub struct Verdict(Out<'static>);

impl Verdict {
    /// request: goes to the origin by the cache.
    pub fn bypass(&mut self) {
        self.act(HTTP_ACTION_BYPASS, 0)
    }

    /// request: is answered with a status from 400 to 599.
    pub fn deny(&mut self, status: u16, body: &[u8]) {
        self.act(HTTP_ACTION_DENY, status);
        self.field(HTTP_FIELD_BODY, body)
    }

    /// request: is answered with a status 301, 302, 303, 307 or 308.
    pub fn redirect(&mut self, status: u16, location: &[u8]) {
        self.act(HTTP_ACTION_REDIRECT, status);
        self.field(HTTP_FIELD_LOCATION, location)
    }

    /// request: is answered with a status from 200 to 599; set gives that answer its header.
    pub fn answer(&mut self, status: u16, body: &[u8]) {
        self.act(HTTP_ACTION_SYNTH, status);
        self.field(HTTP_FIELD_BODY, body)
    }

    fn act(&mut self, action: u32, status: u16) {
        let [low, high] = status.to_le_bytes();
        self.field(HTTP_FIELD_ACTION, &[action as u8, 0, low, high])
    }

    /// request, response, deliver: one line in the place of all of that name.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.edit(HTTP_FIELD_SET, name, value)
    }

    /// request, response, deliver: one more line.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        self.edit(HTTP_FIELD_ADD, name, value)
    }

    /// request, response, deliver: no line of that name.
    pub fn remove(&mut self, name: &[u8]) {
        self.field(HTTP_FIELD_REMOVE, name)
    }

    /// key: path and query in the place of the request's, for the origin, too, unless hide is called.
    pub fn target(&mut self, target: &[u8]) {
        self.field(HTTP_FIELD_TARGET, target)
    }

    /// key: the origin gets the request's own target.
    pub fn hide(&mut self) {
        self.field(HTTP_FIELD_HIDE, &[])
    }

    /// key: bytes that are added to it.
    pub fn extra(&mut self, bytes: &[u8]) {
        self.field(HTTP_FIELD_EXTRA, bytes)
    }

    /// key: a value in the place of the request's, where a response's Vary names the field.
    pub fn vary(&mut self, name: &[u8], value: &[u8]) {
        self.edit(HTTP_FIELD_VARY, name, value)
    }

    /// lookup: the stored response is validated, even if it is fresh.
    pub fn revalidate(&mut self) {
        self.field(HTTP_FIELD_LOOKUP, &[HTTP_LOOKUP_REVALIDATE as u8])
    }

    /// lookup: another response is fetched.
    pub fn miss(&mut self) {
        self.field(HTTP_FIELD_LOOKUP, &[HTTP_LOOKUP_MISS as u8])
    }

    /// response: whether it is kept.
    pub fn store(&mut self, store: bool) {
        self.field(HTTP_FIELD_STORE, &[store as u8])
    }

    /// response: how many milliseconds it is fresh.
    pub fn ttl(&mut self, ms: i64) {
        self.field(HTTP_FIELD_TTL, &ms.to_le_bytes())
    }

    /// response: how many milliseconds behind that it may be used while it is validated.
    pub fn swr(&mut self, ms: i64) {
        self.field(HTTP_FIELD_SWR, &ms.to_le_bytes())
    }

    /// response: how many milliseconds behind that it may be used if the origin fails.
    pub fn sie(&mut self, ms: i64) {
        self.field(HTTP_FIELD_SIE, &ms.to_le_bytes())
    }

    /// response: a tag, for purging.
    pub fn tag(&mut self, tag: &[u8]) {
        self.field(HTTP_FIELD_TAG, tag)
    }

    /// admit: it is not kept.
    pub fn refuse(&mut self) {
        self.field(HTTP_FIELD_REFUSE, &[])
    }

    fn field(&mut self, field: u8, bytes: &[u8]) {
        self.head(field, bytes.len());
        self.0.push(bytes)
    }

    fn edit(&mut self, field: u8, name: &[u8], value: &[u8]) {
        self.head(field, 2 + name.len() + value.len());
        self.0.push(&(name.len() as u16).to_le_bytes());
        self.0.push(name);
        self.0.push(value)
    }

    fn head(&mut self, field: u8, len: usize) {
        self.0.push(&[field]);
        self.0.push(&(len as u32).to_le_bytes())
    }
}

/// An exchange that has ended.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct HttpEvent {
    pub key_hash: u64,
    /// Unix nanoseconds.
    pub time: u64,
    /// Microseconds.
    pub elapsed: u32,
    /// Bytes of body.
    pub size: u32,
    /// Seconds.
    pub age: u32,
    pub status: u16,
    /// One of the HTTP_METHOD constants.
    pub method: u8,
    /// One of the HTTP_OUTCOME constants.
    pub outcome: u8,
}

const _: () = assert!(mem::size_of::<HttpEvent>() == EVENT_SIZE);

/// What http! makes of the calls.
#[doc(hidden)]
pub mod ec {
    use super::*;

    pub fn call<P: Http>(plugin: &mut P, len: usize) -> u64 {
        let frame = Frame(unsafe { slice::from_raw_parts(super::super::ec::call(), len) });
        let mut verdict = Verdict(Out { len: 0, call: core::marker::PhantomData });
        plugin.call(&frame, &mut verdict);
        match verdict.0.len {
            0 => 0,
            n => (super::super::ec::out() as u64) << 32 | n as u64,
        }
    }

    pub type Events = [HttpEvent; EVENT_BATCH];

    const NO_EVENT: HttpEvent =
        HttpEvent { key_hash: 0, time: 0, elapsed: 0, size: 0, age: 0, status: 0, method: 0, outcome: 0 };
    pub const NO_EVENTS: Events = [NO_EVENT; EVENT_BATCH];

    #[inline]
    pub fn watch<P: Watch>(plugin: &mut P, events: &Events, n: usize) {
        match events.get(..n) {
            Some(events) => plugin.watch(events),
            None => trap(),
        }
    }
}
