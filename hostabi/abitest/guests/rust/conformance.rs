//! The conformance guest: it does what keys ask for. ../../README.md says what that is.
#![no_std]
use edgecache::*;

const COOKIE: u64 = 0x0123456789abcdef;
const CHUNK: usize = 4096; // bytes that are read of values and entries
const PAIRS: usize = 32; // rows of statistics
const SLOTS: usize = 12 + HISTOGRAM_SLOTS;

struct Conformance {
    config: Text<1024>,
    features: u64,
    calls: Counter,
    level: Gauge,
    times: Histogram,
    defined: i64,
    idles: i64,
    entry: [u8; CHUNK],
    rows: [[u64; SLOTS]; PAIRS],
    row_count: usize,
}

// The columns of the statistics that are not 0 or counted in one place.
const BEFORE: usize = 1;
const AFTER: usize = 2;
const SHORTEST: usize = 11;
const ELAPSED: usize = 12;

impl Plugin for Conformance {
    const NEW: Self = Conformance {
        config: Text::NEW,
        features: 0,
        calls: Counter::NEW,
        level: Gauge::NEW,
        times: Histogram::NEW,
        defined: 0,
        idles: 0,
        entry: [0; CHUNK],
        rows: [[0; SLOTS]; PAIRS],
        row_count: 0,
    };

    fn init(&mut self, config: &mut Config) -> Result<(), Error> {
        let text = &*config.text;
        if let Some(rest) = text.strip_prefix(b"{\"refuse\":\"") {
            let mut why = Text::<256>::NEW;
            why.set(cut(rest, b'"').0);
            return Err(config.refuse(core::str::from_utf8(&why).unwrap_or("")));
        }
        if text.starts_with(b"{\"trap\":") {
            trap();
        }
        self.features = config.features;
        self.config.set(&text[..text.len().min(1024)]);
        self.define(text);
        Ok(())
    }
}

impl Conformance {
    /// Defines the metrics, and as many more as the configuration says.
    fn define(&mut self, config: &[u8]) {
        self.defined = self.calls.define("calls").is_ok() as i64;
        self.defined += self.level.define("level").is_ok() as i64;
        self.defined += self.times.define("times").is_ok() as i64;
        let more = config.strip_prefix(b"{\"metrics\":").and_then(|rest| count(cut(rest, b'}').0, 1000));
        for i in 0..more.unwrap_or(0) {
            let mut name = Text::<16>::NEW;
            name.push(b"extra-");
            name.push_number(i as u64);
            let name = core::str::from_utf8(&name).unwrap_or("");
            let mut extra = Counter::NEW;
            self.defined += extra.define(name).is_ok() as i64;
        }
    }

    /// Returns the row of an operation in a namespace, or None where there is no room for one.
    fn row(&mut self, op: u32, namespace: u32) -> Option<&mut [u64; SLOTS]> {
        let label = label(op, namespace);
        let rows = &self.rows[..self.row_count];
        let i = match rows.iter().position(|row| row[0] == label) {
            Some(i) => i,
            None if self.row_count == PAIRS => return None,
            None => {
                self.row_count += 1;
                self.rows[self.row_count - 1][0] = label;
                self.rows[self.row_count - 1][SHORTEST] = u64::MAX;
                self.row_count - 1
            }
        };
        Some(&mut self.rows[i])
    }
}

impl Observe for Conformance {
    fn observe(&mut self, events: &[Event]) {
        for e in events {
            if let Some(row) = self.row(e.op(), e.namespace_id as u32) {
                let [_, _, _, events, continued, hits, bytes, hashed, ttl, tier, time, ..] = row;
                *events += 1;
                *continued += e.continued() as u64;
                *hits += (e.outcome() == OUTCOME_HIT) as u64;
                *bytes += e.value_size as u64;
                *hashed += (e.key_hash != 0) as u64;
                *ttl = e.ttl.max(*ttl as u32) as u64;
                *tier = e.tier().max(*tier as u32) as u64;
                *time = e.time.max(*time);
                row[ELAPSED + 32 - e.elapsed.leading_zeros() as usize] += 1;
            }
        }
    }
}

impl Stats<SLOTS> for Conformance {
    fn stats(&mut self) -> &[[u64; SLOTS]] {
        &self.rows[..self.row_count]
    }
}

impl Idle for Conformance {
    fn idle(&mut self) {
        self.idles += 1;
    }
}

impl Before for Conformance {
    fn before(&mut self, call: &mut Call) -> Action {
        let key_len = call.key().len() as u64;
        if let Some(row) = self.row(call.op, call.namespace_id()) {
            row[BEFORE] += 1;
            row[SHORTEST] = row[SHORTEST].min(key_len);
        }
        match cut(call.key(), b':').0 {
            b"args" => return args(call),
            b"cookie" | b"cookie-respond" | b"cookie-key" => return cookie(call),
            b"value-at" | b"value-put" | b"value-add" => return self.value(call),
            _ => {}
        }
        let (key, mut out) = call.parts();
        let (verb, arg) = cut(key, b':');
        match verb {
            b"upper" => {
                key.make_ascii_uppercase();
                let n = key.len();
                call.rewrite(0..n)
            }
            b"cut" => out.with(arg).key(),
            b"long" => match count(arg, 65536) {
                Some(n) => {
                    out.extend(n).fill(b'x');
                    out.key()
                }
                None => Action::NONE,
            },
            b"respond" => out.with(arg).respond(),
            b"deny" => out.with(arg).deny(),
            b"miss" => Action::MISS,
            b"ttl" => number(arg).map_or(Action::NONE, |ms| out.patches().ttl(ms).action()),
            b"value" => out.patches().value(arg).action(),
            b"ns" => out.patches().namespace(arg).action(),
            b"ext" => out.patches().key(arg).ttl(90_000).namespace(b"ext").action(),
            b"last" => out.patches().key(b"first").key(arg).action(),
            b"raw" => hex(arg).map_or(Action::NONE, Action::from_bits),
            b"trap" => trap(),
            b"config" => out.with(&self.config).respond(),
            b"features" => tell(out, self.features as i64),
            b"idle" => tell(out, self.idles),
            _ => self.ask(verb, arg, out),
        }
    }
}

impl Conformance {
    /// Does what verbs ask for that call the host.
    fn ask(&mut self, verb: &[u8], arg: &[u8], mut out: Out) -> Action {
        let (first, rest) = cut(arg, b',');
        match verb {
            b"hash" => {
                push_hex(&mut out, hash64(arg));
                return out.respond();
            }
            b"clock" => {
                out.push_number(now_ns());
                for _ in 0..2 {
                    out.push(b" ");
                    out.push_number(mono_ns());
                }
                return out.respond();
            }
            b"random" => {
                if let Some(n) = count(arg, MAX_RANDOM) {
                    random(out.extend(n));
                    return out.respond();
                }
            }
            b"log" => {
                if let Some(level) = count(first, LOG_ERROR as usize) {
                    log(level as u32, rest);
                }
            }
            b"log-enabled" => {
                if let Some(level) = count(arg, LOG_ERROR as usize) {
                    return tell(out, log_enabled(level as u32) as i64);
                }
            }
            b"kv-get" | b"kv-set" | b"kv-cas" | b"kv-add" | b"kv-delete" | b"kv-fill" => {
                return self.kv(verb, arg, out)
            }
            b"metrics" => return tell(out, self.defined),
            b"metric-again" => {
                let mut again = Counter::NEW;
                return tell(out, (again.define("calls").is_ok() && again == self.calls) as i64);
            }
            b"count" => number(arg).into_iter().for_each(|n| self.calls.add(n as u64)),
            b"gauge" => number(arg).into_iter().for_each(|n| self.level.set(n)),
            b"hist" => number(arg).into_iter().for_each(|n| self.times.record(n as u64)),
            b"span" => span_attr(core::str::from_utf8(first).unwrap_or(""), rest),
            _ => {}
        }
        Action::NONE
    }

    fn kv(&mut self, verb: &[u8], arg: &[u8], mut out: Out) -> Action {
        let (key, rest) = cut(arg, b',');
        let (second, third) = cut(rest, b',');
        match verb {
            b"kv-get" => {
                if let Some(room) = count(rest, CHUNK) {
                    let n = kv_get(key, &mut self.entry[..room]);
                    push_number(&mut out, n.map_or(KV_ABSENT as i64, |n| n as i64));
                    out.push(b"=");
                    out.push(&self.entry[..n.unwrap_or(0).min(room)]);
                    return out.respond();
                }
            }
            b"kv-set" => {
                if let Some(ttl) = number(third) {
                    return tell(out, result(kv_set(key, second, ttl).map(|()| true)));
                }
            }
            b"kv-cas" => {
                let (new, ttl) = cut(third, b',');
                let old = if second == b"-" { None } else { Some(second) };
                if let Some(ttl) = number(ttl) {
                    return tell(out, result(kv_cas(key, old, new, ttl)));
                }
            }
            b"kv-add" => {
                if let (Some(delta), Some(ttl)) = (number(second), number(third)) {
                    return tell(out, kv_add(key, delta, ttl).unwrap_or(KV_FAILED));
                }
            }
            b"kv-delete" => return tell(out, if kv_delete(arg) { KV_OK as i64 } else { KV_ABSENT as i64 }),
            _ => {
                if let (Some(n), Some(m)) = (count(key, MAX_KV_KEY + 1), count(rest, MAX_KV_VALUE + 1)) {
                    let (key, value) = out.extend(n + m).split_at_mut(n);
                    key.fill(b'k');
                    value.fill(b'v');
                    let result = result(kv_set(key, value, 0).map(|()| true));
                    out.clear();
                    return tell(out, result);
                }
            }
        }
        Action::NONE
    }
}

/// The number of KV_OK and its like, where true is done.
fn result(of: Result<bool, Full>) -> i64 {
    match of {
        Ok(true) => KV_OK as i64,
        Ok(false) => KV_DIFFERS as i64,
        Err(Full) => KV_FULL as i64,
    }
}

impl Conformance {
    fn value(&mut self, call: &mut Call) -> Action {
        let (verb, arg) = cut(call.key(), b':');
        let (first, second) = cut(arg, b',');
        match verb {
            b"value-at" => {
                if let (Some(offset), Some(n)) = (count(first, u32::MAX as usize), count(second, CHUNK)) {
                    let n = value_read(offset, &mut self.entry[..n]);
                    return call.parts().1.with(&self.entry[..n]).key();
                }
            }
            b"value-put" => {
                let done = value_write(arg);
                return call.parts().1.with(if done { b"1" } else { b"0" }).key();
            }
            _ => {
                let n = value_read(0, &mut self.entry);
                let (key, out) = call.parts();
                value_write(out.with(&self.entry[..n]).with(cut(key, b':').1).bytes());
            }
        }
        Action::NONE
    }
}

/// Tells what the call is.
fn args(call: &mut Call) -> Action {
    let Call { op, value_len, ttl_ms, flags, .. } = *call;
    let (index, len) = call.batch();
    let (key, namespace, mut out) = call.parts_and_namespace();
    push_field(&mut out, b"args op=", op as i64);
    push_field(&mut out, b" key=", key.len() as i64);
    push_field(&mut out, b" value=", value_len as i64);
    push_field(&mut out, b" ttl=", ttl_ms);
    push_field(&mut out, b" flags=", flags as i64);
    push_place(&mut out, namespace, index, len);
    out.key()
}

fn cookie(call: &mut Call) -> Action {
    call.set_cookie(COOKIE);
    let (key, out) = call.parts();
    let (verb, arg) = cut(key, b':');
    match verb {
        b"cookie-respond" => out.with(arg).respond(),
        b"cookie-key" => out.with(b"cookie:").with(arg).key(),
        _ => Action::NONE,
    }
}

impl After for Conformance {
    fn after(&mut self, call: &mut Call, result: Outcome) -> Action {
        if let Some(row) = self.row(call.op, call.namespace_id()) {
            row[AFTER] += 1;
        }
        let hit = result.code == OUTCOME_HIT;
        let (verb, arg) = cut(call.key(), b':');
        match verb {
            b"after-raw" => hex(arg).map_or(Action::NONE, Action::from_bits),
            b"after-trap" => trap(),
            b"cookie" | b"cookie-respond" | b"tell" if hit => tell_after(call, result),
            b"after-elapsed" if hit => tell(call.parts().1, result.elapsed_ns as i64),
            b"after-respond" if hit => {
                let (key, out) = call.parts();
                out.with(cut(key, b':').1).respond()
            }
            b"after-reverse" if hit => {
                let n = value_read(0, &mut self.entry);
                self.entry[..n].reverse();
                value_write(&self.entry[..n]);
                Action::NONE
            }
            _ => Action::NONE,
        }
    }
}

fn tell_after(call: &mut Call, result: Outcome) -> Action {
    let (op, value_len, cookie, (index, len)) = (call.op, call.value_len, call.cookie(), call.batch());
    let (key, namespace, mut out) = call.parts_and_namespace();
    push_field(&mut out, b"after op=", op as i64);
    out.push(b" key=");
    out.push(key);
    push_field(&mut out, b" result=", (result.tier << TIER_SHIFT | result.code) as i64);
    push_field(&mut out, b" value=", value_len as i64);
    out.push(b" cookie=");
    push_hex(&mut out, cookie);
    push_place(&mut out, namespace, index, len);
    out.respond()
}

// Texts and numbers.

/// Returns what stands before the first c and what behind it.
fn cut(text: &[u8], c: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|b| *b == c) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

/// Reads a decimal number that takes all of the text.
fn number(text: &[u8]) -> Option<i64> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads a number from 0 to most.
fn count(text: &[u8], most: usize) -> Option<usize> {
    usize::try_from(number(text)?).ok().filter(|n| *n <= most)
}

/// Reads 16 hexadecimal digits.
fn hex(text: &[u8]) -> Option<u64> {
    let digits = core::str::from_utf8(text.get(..16)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

fn tell(mut out: Out, n: i64) -> Action {
    push_number(&mut out, n);
    out.respond()
}

fn push_number(out: &mut Out, n: i64) {
    if n < 0 {
        out.push(b"-");
    }
    out.push_number(n.unsigned_abs());
}

fn push_field(out: &mut Out, name: &[u8], n: i64) {
    out.push(name);
    push_number(out, n);
}

fn push_hex(out: &mut Out, n: u64) {
    for shift in (0..64).step_by(4).rev() {
        out.push(&[b"0123456789abcdef"[(n >> shift) as usize % 16]]);
    }
}

fn push_place(out: &mut Out, namespace: &[u8], index: u32, len: u32) {
    out.push(b" ns=");
    out.push(namespace);
    push_field(out, b" batch=", index as i64);
    push_field(out, b"/", len as i64);
}

plugin!(Conformance: before, after, observe, stats, idle);
