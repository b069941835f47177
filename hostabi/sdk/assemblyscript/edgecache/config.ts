// config.ts reads a configuration, which is JSON, in ec_init. The guest walks it in the order of its own structure:
//
//   export function ec_init(len: u32, features: u64): u32 {
//     config.open(len);
//     while (config.field()) {
//       if (config.is("prefix")) prefixLen = config.text(PREFIX, MAX_PREFIX);
//       else config.unknown("prefix");
//     }
//     return config.close();
//   }
//
// The first error sticks: from then on every function returns nothing, and field and item end every loop. Nothing here
// allocates.
import { answer, copy, key, write, writeNumber } from "edgecache";

let at: usize; // the next byte to read
let end: usize;
let valueAt: usize; // where the last value begins
let nameAt: usize; // the name of the last field
let nameLen: u32;
let asked: u64; // the bit of the name that the next call of is asks for
let first: bool; // nothing was read of the innermost object or array
let errorLen: u32; // of the text in the answer

// The names of an object that were there, as a set, for each object that is not at its end.
const MAX_DEPTH = 8;
const SEEN = memory.data(8 * (MAX_DEPTH + 1), 8);
let depth: u32;

// open begins to read the configuration of len bytes, which must be an object.
export function open(len: u32): void {
  at = key();
  end = at + len;
  depth = 0;
  errorLen = 0;
  object();
}

// close returns what ec_init returns: 0, or the length of the error's text.
export function close(): u32 {
  if (peek() || at < end) failHere("want nothing behind the JSON object");
  copy(key(), answer(), errorLen);
  return errorLen;
}

// fail makes this the error, about the last value, unless there is one.
export function fail(what: string): void {
  const to = begin(valueAt);
  if (to) finish(write(to, what));
}

// refuse makes this the error, about no value, unless there is one.
export function refuse(what: string): void {
  if (!errorLen) finish(write(answer(), what));
}

// failed reports whether there was an error.
export function failed(): bool { return errorLen != 0; }

// ended reports whether all has been read.
export function ended(): bool { return at == end; }

// object begins an object, whose fields are to be read with field.
export function object(): void {
  value();
  if (!take(0x7b)) failHere("want an object");
  if (depth++ == MAX_DEPTH) failHere("too many objects in each other");
  if (errorLen) return;
  store<u64>(SEEN + 8 * depth, 0);
  first = true;
}

// array begins an array, whose elements are to be read with item.
export function array(): void {
  value();
  if (!take(0x5b)) failHere("want an array");
  first = true;
}

// field steps to the next field and reports whether there is one.
export function field(): bool {
  if (!more(0x7d)) {
    depth--;
    return false;
  }
  value();
  asked = 1;
  if (!take(0x22)) failHere("want the name of a field");
  nameAt = at;
  while (at < end && load<u8>(at) != 0x22) at++;
  nameLen = <u32>(at - nameAt);
  if (!take(0x22) || !take(0x3a)) failHere("want a colon");
  return !errorLen;
}

// item steps to the next element and reports whether there is one.
export function item(): bool { return more(0x5d); }

// is reports whether the field has this name. All fields of an object must be asked for in the same order, since one that
// stands twice is an error.
export function is(name: string): bool {
  const bit = asked, seen = SEEN + 8 * depth;
  asked <<= 1;
  if (name.length != nameLen) return false;
  for (let i: u32 = 0; i < nameLen; i++) {
    if (load<u8>(nameAt + i) != name.charCodeAt(i)) return false;
  }
  if (load<u64>(seen) & bit) failName("field ", " appears twice");
  store<u64>(seen, load<u64>(seen) | bit);
  return true;
}

// unknown refuses the field; want says which ones there are.
export function unknown(want: string): void {
  const to = failName("unknown field ", ": want ");
  if (to) finish(write(to, want));
}

// text reads a string of at most max bytes and writes it to the given place. It returns its length.
export function text(to: usize, max: u32): u32 {
  value();
  if (!take(0x22)) failHere("want a string");
  const most = to + max;
  let out = to;
  while (!errorLen) {
    if (at == end || load<u8>(at) < 0x20) {
      fail("string without an end");
      break;
    }
    let c: u32 = load<u8>(at++);
    if (c == 0x22) return <u32>(out - to);
    if (c == 0x5c) c = escape();
    else if (c >= 0x80) c |= RAW;
    if (out + utf8Len(c) <= most) out = putUTF8(out, c);
    else failRange("want a string of at most ", max, " bytes", 0);
  }
  return 0;
}

// integer reads a number from least to most that has no fraction. They are not negative.
export function integer(least: u64, most: u64): u64 {
  const n = read();
  if (n < <f64>least || n > <f64>most || n != floor(n)) failRange("want a whole number from ", least, " to ", most);
  return errorLen ? least : <u64>n;
}

// quoted reads a whole number from least to most that is written as a string, as parameters of policies are.
export function quoted(least: u64, most: u64): u64 {
  value();
  if (!take(0x22)) failHere("want a string");
  const n = integer(least, most);
  if (!take(0x22)) failHere("want the end of the number");
  return n;
}

// number reads a number from least to most, written without an exponent. They are not negative.
export function number(least: u32, most: u32): f64 {
  const n = read();
  if (n < <f64>least || n > <f64>most) failRange("want a number from ", least, " to ", most);
  return errorLen ? least : n;
}

// flag reads true or false.
export function flag(): bool {
  value();
  if (word("true")) return true;
  if (!word("false")) failHere("want true or false");
  return false;
}

// begin writes where the error is and returns where its text goes, or 0 where there is one already.
function begin(place: usize): usize {
  if (errorLen) return 0;
  return write(writeNumber(write(answer(), "config byte "), place - key()), ": ");
}

function finish(to: usize): void { errorLen = <u32>(to - answer()); }

// failHere makes the error that something else than what stands here is wanted.
function failHere(want: string): void {
  const c = peek();
  let to = begin(at);
  if (!to) return;
  to = write(to, want);
  if (at == end) to = write(to, ", found the end");
  else {
    to = write(to, ', found "');
    store<u8>(to, c < 0x20 || c > 0x7e ? 0x3f : c);
    store<u8>(++to, 0x22);
    to++;
  }
  finish(to);
}

// failName makes the error one about the field's name, which is quoted as far as it is plain. It returns where the text
// ends, or 0 where there was an error already.
function failName(before: string, after: string): usize {
  let to = begin(nameAt - 1);
  if (!to) return 0;
  to = write(to, before);
  store<u8>(to++, 0x22);
  for (let i: u32 = 0; i < min(nameLen, 40); i++) {
    const c = load<u8>(nameAt + i);
    store<u8>(to++, c < 0x20 || c > 0x7e ? 0x3f : c);
  }
  store<u8>(to++, 0x22);
  to = write(to, after);
  finish(to);
  return to;
}

// failRange makes the error one about a number or length; a most of 0 is left out.
function failRange(want: string, least: u64, to: string, most: u64): void {
  let p = begin(valueAt);
  if (!p) return;
  p = write(writeNumber(write(p, want), least), to);
  finish(most ? writeNumber(p, most) : p);
}

// value marks where a value begins.
function value(): void {
  peek();
  valueAt = at;
}

function read(): f64 {
  value();
  const negative = take(0x2d);
  const start = at;
  let n: f64 = 0;
  while (digit()) n = n * 10 + <f64>(load<u8>(at++) - 0x30);
  const whole = at - start;
  if (!whole || (whole > 1 && load<u8>(start) == 0x30)) failHere("want a number");
  if (at < end && load<u8>(at) == 0x2e) {
    at++;
    let unit: f64 = 1;
    for (; digit(); unit *= 10) n = n * 10 + <f64>(load<u8>(at++) - 0x30);
    if (unit == 1) failHere("want digits behind the point");
    n /= unit;
  }
  return negative ? -n : n;
}

// RAW marks what is a byte of UTF-8 already.
const RAW: u32 = 1 << 31;

function utf8Len(c: u32): u32 { return c < 0x80 || c >= RAW ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

function putUTF8(to: usize, c: u32): usize {
  const n = utf8Len(c);
  if (n == 1) {
    store<u8>(to, <u8>c);
    return to + 1;
  }
  store<u8>(to, <u8>(0xff00 >> n | c >> 6 * (n - 1))); // as many ones as bytes
  for (let i: u32 = 1; i < n; i++) store<u8>(to + i, <u8>(0x80 | (c >> 6 * (n - 1 - i) & 0x3f)));
  return to + n;
}

// escape reads what follows a backslash.
function escape(): u32 {
  const c: u32 = at < end ? load<u8>(at++) : 0;
  switch (c) {
    case 0x22: case 0x2f: case 0x5c: return c;
    case 0x62: return 8;
    case 0x66: return 12;
    case 0x6e: return 10;
    case 0x72: return 13;
    case 0x74: return 9;
    case 0x75: return rune();
  }
  fail("bad escape in a string");
  return 0;
}

// rune reads what follows \u, with the second half of a surrogate pair.
function rune(): u32 {
  const high = hex();
  if (high < 0xd800 || high > 0xdfff) return high;
  if (high < 0xdc00 && at + 2 <= end && load<u16>(at) == 0x755c) {
    at += 2;
    const low = hex();
    if (low >= 0xdc00 && low <= 0xdfff) return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
  }
  fail("half a surrogate pair in a string");
  return 0;
}

function hex(): u32 {
  let v: u32 = 0;
  for (let i = 0; i < 4; i++) {
    const c: u32 = at < end ? load<u8>(at++) : 0;
    const letter = (c | 0x20) - 0x61;
    if (c - 0x30 > 9 && letter > 5) fail("bad escape in a string");
    v = v << 4 | (c - 0x30 <= 9 ? c - 0x30 : letter + 10);
  }
  return v;
}

function digit(): bool { return at < end && <u32>load<u8>(at) - 0x30 <= 9; }

// more steps to the next element of an object or array, or over the byte that closes it.
function more(close: u8): bool {
  const n = !first;
  first = false; // also of what encloses it
  if (errorLen || take(close)) return false;
  if (n && !take(0x2c)) failHere("want a comma or the end");
  return !errorLen;
}

// peek steps over white space and returns the next byte without taking it, or 0 at the end.
function peek(): u8 {
  for (; at < end; at++) {
    const c = load<u8>(at);
    if (c != 0x20 && c != 9 && c != 10 && c != 13) return c;
  }
  return 0;
}

// take takes the next byte if it is c.
function take(c: u8): bool {
  if (errorLen || peek() != c) return false;
  at++;
  return true;
}

// word takes the next bytes if they are these.
function word(s: string): bool {
  const n = s.length;
  if (errorLen || end - at < <usize>n) return false;
  for (let i = 0; i < n; i++) {
    if (load<u8>(at + i) != s.charCodeAt(i)) return false;
  }
  at += n;
  return true;
}
