// The conformance guest: it does what keys ask for. ../../README.md says what that is.
import {
  ACTION_COOKIE, ACTION_DENY, ACTION_EXT, ACTION_KEY, ACTION_MISS, ACTION_NONE, ACTION_RESPOND, ACTION_SHIFT,
  EVENT_BATCH, EVENT_CONTINUED, EVENT_ELAPSED, EVENT_KEY_HASH, EVENT_NAMESPACE, EVENT_OP, EVENT_RESULT, EVENT_SIZE,
  EVENT_TIME, EVENT_TTL, EVENT_VALUE_SIZE, FIELD_KEY, FIELD_NAMESPACE, FIELD_VALUE, HISTOGRAM_SLOTS, KV_NONE, LOG_ERROR,
  MAX_KV_KEY, MAX_KV_VALUE, MAX_RANDOM, METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, OUTCOME_HIT, OUTCOME_MASK,
  TIER_SHIFT,
  act, answerOf, batchIndex, batchLen, block, cookie, copy, counterAdd, gaugeSet, hash64, histRecord, key, kvAdd, kvCas,
  kvDelete, kvGet, kvSet, label, log, logEnabled, metricDefine, monoNs, namespaceId, namespaceLen, nowNs, patch, patchTTL,
  random, setCookie, spanAttr, valueRead, valueWrite, write, writeNumber,
} from "edgecache";
export { edgecache_abi_hook_1, ec_buf } from "edgecache";

const OUT: u32 = 1 << 17; // room for what is made
const CONFIG: u32 = 1024; // bytes that are kept of the configuration
const CHUNK: u32 = 4096; // bytes that are read of values and entries
const PAIRS: u32 = 32; // rows of statistics

const COMMA: u8 = 0x2c, COLON: u8 = 0x3a, MINUS: u8 = 0x2d, QUOTE: u8 = 0x22, BRACE: u8 = 0x7d;

// The verb, what is left of the argument, and the number that was read last.
let verbAt: usize, verbLen: u32;
let argAt: usize, argLen: u32;
let value: i64;

// What is made: from out to end.
let out: usize, end: usize;

function is(word: string): bool { return same(verbAt, verbLen, word) && word.length == verbLen; }

// same reports whether the text begins with the word, as far as it goes.
function same(at: usize, len: u32, word: string): bool {
  if (len < <u32>word.length) return false;
  for (let i = 0; i < word.length; i++) {
    if (load<u8>(at + i) != word.charCodeAt(i)) return false;
  }
  return true;
}

// cut takes what stands before the first c, or all, off the argument, and the c with it. It returns its length.
function cut(c: u8): u32 {
  let n: u32 = 0;
  while (n < argLen && load<u8>(argAt + n) != c) n++;
  const gone = n < argLen ? n + 1 : n;
  argAt += gone;
  argLen -= gone;
  return n;
}

// number reads a decimal number that takes all of the text.
function number(at: usize, len: u32): bool {
  const minus = len > 0 && load<u8>(at) == MINUS;
  let u: u64 = 0;
  if (len == u32(minus)) return false;
  for (let i = u32(minus); i < len; i++) {
    const digit = <u32>load<u8>(at + i) - 0x30;
    if (digit > 9) return false;
    u = u * 10 + digit;
  }
  value = <i64>(minus ? 0 - u : u);
  return true;
}

// numberArg reads all of the argument as a number, nextNumber what stands before the next comma.
function numberArg(): bool { return number(argAt, argLen); }

function nextNumber(): bool {
  const at = argAt;
  return number(at, cut(COMMA));
}

function countArg(most: i64): bool { return numberArg() && value >= 0 && value <= most; }

function nextCount(most: i64): bool { return nextNumber() && value >= 0 && value <= most; }

// hexArg reads 16 hexadecimal digits into value.
function hexArg(): bool {
  let v: u64 = 0;
  if (argLen < 16) return false;
  for (let i: u32 = 0; i < 16; i++) {
    const c: u32 = load<u8>(argAt + i);
    const digit = c - 0x30 <= 9 ? c - 0x30 : c - 0x61 <= 5 ? c - 0x61 + 10 : 16;
    if (digit > 15) return false;
    v = v << 4 | digit;
  }
  value = v;
  return true;
}

function put(at: usize, len: u32): void {
  if (len > OUT - <u32>(end - out)) unreachable();
  end = copy(end, at, len);
}

function putWord(word: string): void { end = write(end, word); }

function putNumber(v: i64): void {
  if (v < 0) store<u8>(end++, MINUS);
  end = writeNumber(end, v < 0 ? 0 - <u64>v : v);
}

function putHex(v: u64): void {
  for (let i: u32 = 0; i < 16; i++, v <<= 4) {
    const digit = <u8>(v >> 60);
    store<u8>(end++, digit < 10 ? 0x30 + digit : 0x61 - 10 + digit);
  }
}

function putField(name: string, v: i64): void {
  putWord(name);
  putNumber(v);
}

function putTimes(c: u8, n: u32): void {
  memory.fill(end, c, n);
  end += n;
}

// done returns an action with what was made.
function done(action: u64): u64 { return act(action, out, <u32>(end - out)); }

function tell(v: i64): u64 {
  putNumber(v);
  return done(ACTION_RESPOND);
}

// here returns an action with what is left of the argument.
function here(action: u64): u64 { return act(action, argAt, argLen); }

// What ec_init left.

const KEPT = memory.data(<i32>CONFIG);
let keptLen: u32;
let granted: u64; // features
let calls: i32, level: i32, times: i32; // metrics
let defined: u32;

export function ec_init(len: u32, features: u64): u32 {
  const config = key();
  out = end = answerOf(OUT);
  argAt = config + 11;
  if (same(config, len, '{"refuse":"')) {
    argLen = len - 11;
    const n = cut(QUOTE);
    memory.copy(config, config + 11, n);
    return n;
  }
  if (same(config, len, '{"trap":')) unreachable();
  granted = features;
  keptLen = min(len, CONFIG);
  copy(KEPT, config, keptLen);
  defineMetrics(config, len);
  return 0;
}

function define(kind: u32, name: string): i32 {
  end = out;
  putWord(name);
  return defineMade(kind);
}

function defineMade(kind: u32): i32 {
  const metric = metricDefine(kind, out, <u32>(end - out));
  defined += u32(metric >= 0);
  return metric;
}

// defineMetrics defines those of the table, and as many more as the configuration says.
function defineMetrics(config: usize, len: u32): void {
  calls = define(METRIC_COUNTER, "calls");
  level = define(METRIC_GAUGE, "level");
  times = define(METRIC_HISTOGRAM, "times");
  if (!same(config, len, '{"metrics":')) return;
  argLen = len - 11;
  const at = argAt;
  if (!number(at, cut(BRACE)) || value > 1000) return;
  for (let i: i64 = 0, more = value; i < more; i++) {
    end = out;
    putField("extra-", i);
    defineMade(METRIC_COUNTER);
  }
}

// Statistics: rows of the columns of the manifest, in their order, behind the label.

const BEFORE = 8, AFTER = 16, EVENTS = 24, CONTINUED = 32, HITS = 40, BYTES = 48, HASHED = 56, TTL = 64, TIER = 72,
  TIME = 80, SHORTEST = 88, ELAPSED = 96;
const ROW = ELAPSED + 8 * HISTOGRAM_SLOTS;

const ROWS = memory.data(<i32>((PAIRS + 1) * ROW), 8); // the last takes what has no row, and is not reported
let rowCount: u32 = 0;
let idles: i64 = 0;

function rowOf(op: u32, namespace: u32): usize {
  const wanted = label(op, namespace & 0xffff), last = ROWS + ROW * rowCount;
  let row = ROWS;
  while (row < last && load<u64>(row) != wanted) row += ROW;
  if (row == last) {
    memory.fill(row, 0, ROW);
    store<u64>(row, wanted);
    store<u64>(row, u64.MAX_VALUE, SHORTEST);
    if (rowCount < PAIRS) rowCount++;
  }
  return row;
}

// @ts-ignore: decorator
@inline function add(column: usize, n: u64): void { store<u64>(column, load<u64>(column) + n); }

// @ts-ignore: decorator
@inline function raise(column: usize, n: u64): void { store<u64>(column, max(load<u64>(column), n)); }

const EVENT_BUFFER = memory.data(<i32>(EVENT_BATCH * EVENT_SIZE), 8);

export function ec_events(capacity: u32): usize { return capacity <= EVENT_BATCH ? EVENT_BUFFER : 0; }

export function ec_observe(n: u32): void {
  for (let e = EVENT_BUFFER, last = EVENT_BUFFER + n * EVENT_SIZE; e < last; e += EVENT_SIZE) {
    const op: u32 = load<u8>(e, EVENT_OP), result: u32 = load<u8>(e, EVENT_RESULT);
    const row = rowOf(op & ~EVENT_CONTINUED, load<u16>(e, EVENT_NAMESPACE));
    add(row + EVENTS, 1);
    add(row + CONTINUED, u64((op & EVENT_CONTINUED) != 0));
    add(row + HITS, u64((result & OUTCOME_MASK) == OUTCOME_HIT));
    add(row + BYTES, load<u32>(e, EVENT_VALUE_SIZE));
    add(row + HASHED, u64(load<u64>(e, EVENT_KEY_HASH) != 0));
    raise(row + TTL, load<u32>(e, EVENT_TTL));
    raise(row + TIER, result >> TIER_SHIFT);
    raise(row + TIME, load<u64>(e, EVENT_TIME));
    add(row + ELAPSED + 8 * (32 - clz(load<u32>(e, EVENT_ELAPSED))), 1); // by the bit length
  }
}

export function ec_idle(): void { idles++; }

export function ec_stats(): u64 { return block(ROWS, rowCount); }

// parse takes the key apart and begins to make something.
function parse(keyLen: u32): void {
  out = end = answerOf(OUT);
  argAt = verbAt = key();
  argLen = keyLen;
  verbLen = cut(COLON);
}

export function ec_before(op: u32, keyLen: u32, valueLen: u32, ttlMs: i64, flags: u32): u64 {
  const row = rowOf(op, namespaceId());
  add(row + BEFORE, 1);
  store<u64>(row, min(load<u64>(row, SHORTEST), <u64>keyLen), SHORTEST);
  parse(keyLen);
  if (is("upper")) return upper(keyLen);
  if (is("cut")) return here(ACTION_KEY);
  if (is("long")) return long();
  if (is("args")) return tellArgs(op, keyLen, valueLen, ttlMs, flags);
  if (is("respond")) return here(ACTION_RESPOND);
  if (is("deny")) return here(ACTION_DENY);
  if (is("miss")) return ACTION_MISS << ACTION_SHIFT;
  if (is("ttl")) return numberArg() ? ext(patchTTL(out, value)) : ACTION_NONE;
  if (is("value")) return ext(patch(out, FIELD_VALUE, argAt, argLen));
  if (is("ns")) return ext(patch(out, FIELD_NAMESPACE, argAt, argLen));
  if (is("ext")) return extAll();
  if (is("last")) return ext(patch(patchWord(out, FIELD_KEY, "first"), FIELD_KEY, argAt, argLen));
  if (is("cookie")) return withCookie(ACTION_NONE);
  if (is("cookie-respond")) return withCookie(here(ACTION_RESPOND));
  if (is("cookie-key")) return cookieKey();
  return asked();
}

function upper(keyLen: u32): u64 {
  for (let at = key(), last = at + keyLen; at < last; at++) {
    const c = load<u8>(at);
    if (c >= 0x61 && c <= 0x7a) store<u8>(at, c - 0x20);
  }
  return act(ACTION_KEY, key(), keyLen);
}

function long(): u64 {
  if (!countArg(65536)) return ACTION_NONE;
  putTimes(0x78, <u32>value);
  return done(ACTION_KEY);
}

function tellArgs(op: u32, keyLen: u32, valueLen: u32, ttlMs: i64, flags: u32): u64 {
  putField("args op=", op);
  putField(" key=", keyLen);
  putField(" value=", valueLen);
  putField(" ttl=", ttlMs);
  putField(" flags=", flags);
  putCall(keyLen);
  return done(ACTION_KEY);
}

function putCall(keyLen: u32): void {
  putWord(" ns=");
  put(key() + keyLen, namespaceLen());
  putField(" batch=", batchIndex());
  putField("/", batchLen());
}

function ext(to: usize): u64 { return act(ACTION_EXT, out, <u32>(to - out)); }

function patchWord(to: usize, field: u8, word: string): usize {
  const text = memory.data(16);
  return patch(to, field, text, <u32>(write(text, word) - text));
}

function extAll(): u64 {
  const to = patchTTL(patch(out, FIELD_KEY, argAt, argLen), 90000);
  return ext(patchWord(to, FIELD_NAMESPACE, "ext"));
}

function withCookie(action: u64): u64 {
  setCookie(0x0123456789abcdef);
  return action | ACTION_COOKIE;
}

function cookieKey(): u64 {
  putWord("cookie:");
  put(argAt, argLen);
  return withCookie(done(ACTION_KEY));
}

// asked does what verbs ask for that need what everyone gets.
function asked(): u64 {
  if (is("raw")) return hexArg() ? <u64>value : ACTION_NONE;
  if (is("trap")) unreachable();
  if (is("config")) return act(ACTION_RESPOND, out, <u32>(copy(out, KEPT, keptLen) - out));
  if (is("features")) return tell(granted);
  if (is("idle")) return tell(idles);
  if (is("clock")) return clock();
  if (is("hash")) {
    putHex(hash64(argAt, argLen));
    return done(ACTION_RESPOND);
  }
  if (is("random") && countArg(MAX_RANDOM)) {
    random(out, <u32>value);
    return act(ACTION_RESPOND, out, <u32>value);
  }
  if (is("log") && nextCount(LOG_ERROR)) log(<u32>value, argAt, argLen);
  if (is("log-enabled") && countArg(LOG_ERROR)) return tell(i64(logEnabled(<u32>value)));
  return askedOfValue();
}

function clock(): u64 {
  putNumber(nowNs());
  putField(" ", monoNs());
  putField(" ", monoNs());
  return done(ACTION_RESPOND);
}

function askedOfValue(): u64 {
  if (is("value-at")) {
    if (!nextCount(u32.MAX_VALUE)) return ACTION_NONE;
    const offset = <u32>value;
    return countArg(CHUNK) ? act(ACTION_KEY, out, valueRead(offset, out, <u32>value)) : ACTION_NONE;
  }
  if (is("value-put")) {
    putNumber(i64(valueWrite(argAt, argLen)));
    return done(ACTION_KEY);
  }
  if (is("value-add")) {
    end += valueRead(0, out, CHUNK);
    put(argAt, argLen);
    valueWrite(out, <u32>(end - out));
    return ACTION_NONE;
  }
  return askedOfKV();
}

function askedOfKV(): u64 {
  if (is("kv-fill")) return kvFill();
  if (is("kv-delete")) return tell(kvDelete(argAt, argLen));
  if (!same(verbAt, verbLen, "kv-")) return askedOfMetrics();
  const name = argAt, len = cut(COMMA);
  if (is("kv-get")) return countArg(CHUNK) ? tellEntry(name, len, <u32>value) : ACTION_NONE;
  if (is("kv-add")) {
    if (!nextNumber()) return ACTION_NONE;
    const delta = value;
    return numberArg() ? tell(kvAdd(name, len, delta, value)) : ACTION_NONE;
  }
  const first = argAt, firstLen = cut(COMMA);
  if (is("kv-set")) return numberArg() ? tell(kvSet(name, len, first, firstLen, value)) : ACTION_NONE;
  if (!is("kv-cas")) return ACTION_NONE;
  const second = argAt, secondLen = cut(COMMA);
  const oldLen = firstLen == 1 && load<u8>(first) == MINUS ? <u32>KV_NONE : firstLen;
  return numberArg() ? tell(kvCas(name, len, first, oldLen, second, secondLen, value)) : ACTION_NONE;
}

const ENTRY = memory.data(<i32>CHUNK);

function tellEntry(name: usize, len: u32, room: u32): u64 {
  const n = kvGet(name, len, ENTRY, room);
  putField("", n);
  putWord("=");
  if (n > 0) put(ENTRY, <u32>min<i64>(n, room));
  return done(ACTION_RESPOND);
}

function kvFill(): u64 {
  if (!nextCount(MAX_KV_KEY + 1)) return ACTION_NONE;
  const n = <u32>value;
  if (!countArg(MAX_KV_VALUE + 1)) return ACTION_NONE;
  putTimes(0x6b, n);
  putTimes(0x76, <u32>value);
  const result = kvSet(out, n, out + n, <u32>value, 0);
  end = out;
  return tell(result);
}

function askedOfMetrics(): u64 {
  if (is("metrics")) return tell(defined);
  if (is("metric-again")) {
    const again = metricDefine(METRIC_COUNTER, out, <u32>(write(out, "calls") - out));
    return tell(i64(again == calls));
  }
  if (is("count") && numberArg()) counterAdd(calls, value);
  if (is("gauge") && numberArg()) gaugeSet(level, value);
  if (is("hist") && numberArg()) histRecord(times, value);
  if (is("span")) {
    const name = argAt, len = cut(COMMA);
    spanAttr(name, len, argAt, argLen);
  }
  return ACTION_NONE;
}

export function ec_after(op: u32, keyLen: u32, result: u32, elapsedNs: i64, valueLen: u32): u64 {
  add(rowOf(op, namespaceId()) + AFTER, 1);
  parse(keyLen);
  if (is("after-raw")) return hexArg() ? <u64>value : ACTION_NONE;
  if (is("after-trap")) unreachable();
  if ((result & OUTCOME_MASK) != OUTCOME_HIT) return ACTION_NONE;
  if (is("cookie") || is("cookie-respond") || is("tell")) return tellAfter(op, keyLen, result, valueLen);
  if (is("after-respond")) return here(ACTION_RESPOND);
  if (is("after-elapsed")) return tell(elapsedNs);
  if (is("after-reverse")) reverse();
  return ACTION_NONE;
}

function tellAfter(op: u32, keyLen: u32, result: u32, valueLen: u32): u64 {
  putField("after op=", op);
  putWord(" key=");
  put(key(), keyLen);
  putField(" result=", result);
  putField(" value=", valueLen);
  putWord(" cookie=");
  putHex(cookie());
  putCall(keyLen);
  return done(ACTION_RESPOND);
}

function reverse(): void {
  const n = valueRead(0, out, CHUNK);
  for (let i: u32 = 0; i < n / 2; i++) {
    const c = load<u8>(out + i);
    store<u8>(out + i, load<u8>(out + n - 1 - i));
    store<u8>(out + n - 1 - i, c);
  }
  valueWrite(out, n);
}
