// http.ts is what hooks of HTTP need: the host calls ec_http in phases of an exchange, which looks at a frame and writes a
// verdict. docs/ABI.md explains both, docs/PLUGINS-HTTP.md what a hook may do.
//
//   import { HTTP_PHASE_REQUEST } from "edgecache";
//   import * as http from "edgecache/http";
//   export { ec_buf } from "edgecache";
//   export { edgecache_abi_http_1 } from "edgecache/http";
//
//   export function ec_http(phase: u32, len: u32): u64 {
//     if (http.header(0)) http.deny(403, "not for you\n");
//     return http.done();
//   }
//
// What is found - a header's line, a string - stands at at, and has size bytes. Nothing here allocates.
import {
  BUF_KEY, HTTP_ACTION_BYPASS, HTTP_ACTION_DENY, HTTP_ACTION_REDIRECT, HTTP_ACTION_SYNTH, HTTP_FIELD_ACTION, HTTP_FIELD_ADD,
  HTTP_FIELD_BODY, HTTP_FIELD_EXTRA, HTTP_FIELD_HIDE, HTTP_FIELD_LOCATION, HTTP_FIELD_LOOKUP, HTTP_FIELD_REFUSE,
  HTTP_FIELD_REMOVE, HTTP_FIELD_SET, HTTP_FIELD_SIE, HTTP_FIELD_STORE, HTTP_FIELD_SWR, HTTP_FIELD_TAG, HTTP_FIELD_TARGET,
  HTTP_FIELD_TTL, HTTP_FIELD_VARY, HTTP_FLAG_BARRED, HTTP_FLAG_STORE, HTTP_FRAME_AGE, HTTP_FRAME_BODY, HTTP_FRAME_CLIENT,
  HTTP_FRAME_FAMILY, HTTP_FRAME_FLAGS, HTTP_FRAME_FREQUENCY, HTTP_FRAME_HOST, HTTP_FRAME_KEY_HASH, HTTP_FRAME_METHOD,
  HTTP_FRAME_METHOD_NUMBER, HTTP_FRAME_OUTCOME, HTTP_FRAME_REQUEST_LINES, HTTP_FRAME_RESPONSE_LINES, HTTP_FRAME_SCHEME,
  HTTP_FRAME_SIE, HTTP_FRAME_STATUS, HTTP_FRAME_SWR, HTTP_FRAME_TARGET, HTTP_FRAME_TTL, HTTP_LINE_LENGTH, HTTP_LINE_NAME,
  HTTP_LINE_OFFSET, HTTP_LINE_SIZE, HTTP_LOOKUP_MISS, HTTP_LOOKUP_REVALIDATE, PATCH_HEADER, copy, key,
} from "edgecache";

// edgecache_abi_http_1 says which ABI the module was built for.
export function edgecache_abi_http_1(): void {}

// What was found last.
export let at: usize = 0;
export let size: u32 = 0;

// @ts-ignore: decorator
@inline function frame(): usize { return key() - BUF_KEY; }

function found(from: usize): bool {
  at = frame() + load<u32>(from);
  size = load<u32>(from, 4);
  return true;
}

// method, host and target find the request's strings; the host is in lower case.
export function method(): void { found(frame() + HTTP_FRAME_METHOD); }
export function host(): void { found(frame() + HTTP_FRAME_HOST); }
export function target(): void { found(frame() + HTTP_FRAME_TARGET); }

// client finds the client's address, of 4 or 16 bytes, and reports whether it is known.
export function client(): bool {
  const family = load<u8>(frame(), HTTP_FRAME_FAMILY);
  at = frame() + HTTP_FRAME_CLIENT;
  size = family == 4 ? 4 : family == 6 ? 16 : 0;
  return size != 0;
}

// header finds the n-th line of the request's field that is the name-th of the manifest's headers, both from 0 on, and reports
// whether there is one. responseHeader does so with the response's.
export function header(name: u32, n: u32 = 0): bool { return line(HTTP_FRAME_REQUEST_LINES, name, n); }
export function responseHeader(name: u32, n: u32 = 0): bool { return line(HTTP_FRAME_RESPONSE_LINES, name, n); }

function line(field: usize, name: u32, n: u32): bool {
  const lines = frame() + field;
  let from = frame() + load<u32>(lines);
  for (let left = load<u32>(lines, 4); left; left--, from += HTTP_LINE_SIZE) {
    if (load<u16>(from, HTTP_LINE_NAME) == name && !n--) return found(from + HTTP_LINE_OFFSET);
  }
  return false;
}

// Numbers of the frame: methods and outcomes are HTTP_METHOD and HTTP_OUTCOME constants, times are in milliseconds.
// @ts-ignore: decorator
@inline export function methodNumber(): u32 { return load<u8>(frame(), HTTP_FRAME_METHOD_NUMBER); }
// @ts-ignore: decorator
@inline export function isHTTPS(): bool { return load<u8>(frame(), HTTP_FRAME_SCHEME) == 1; }
// @ts-ignore: decorator
@inline export function status(): u32 { return load<u16>(frame(), HTTP_FRAME_STATUS); }
// @ts-ignore: decorator
@inline export function outcome(): u32 { return load<u8>(frame(), HTTP_FRAME_OUTCOME); }
// @ts-ignore: decorator
@inline export function isBarred(): bool { return (load<u8>(frame(), HTTP_FRAME_FLAGS) & HTTP_FLAG_BARRED) != 0; }
// @ts-ignore: decorator
@inline export function isStored(): bool { return (load<u8>(frame(), HTTP_FRAME_FLAGS) & HTTP_FLAG_STORE) != 0; }
// @ts-ignore: decorator
@inline export function ageMs(): i64 { return load<i64>(frame(), HTTP_FRAME_AGE); }
// @ts-ignore: decorator
@inline export function ttlMs(): i64 { return load<i64>(frame(), HTTP_FRAME_TTL); }
// @ts-ignore: decorator
@inline export function swrMs(): i64 { return load<i64>(frame(), HTTP_FRAME_SWR); }
// @ts-ignore: decorator
@inline export function sieMs(): i64 { return load<i64>(frame(), HTTP_FRAME_SIE); }
// @ts-ignore: decorator
@inline export function bodyLen(): i64 { return load<i64>(frame(), HTTP_FRAME_BODY); }
// @ts-ignore: decorator
@inline export function keyHash(): u64 { return load<u64>(frame(), HTTP_FRAME_KEY_HASH); }
// @ts-ignore: decorator
@inline export function frequency(): u32 { return load<u32>(frame(), HTTP_FRAME_FREQUENCY); }

// A verdict may have ROOM bytes. A longer one fails the guest.
const ROOM: u32 = 16384;
const VERDICT: usize = memory.data(<i32>ROOM, 8);
let used: u32 = 0;

// put begins a field of len bytes and returns where they go.
export function put(field: u8, len: u32): usize {
  if (len > ROOM || used + PATCH_HEADER + len > ROOM) unreachable();
  const to = VERDICT + used;
  store<u8>(to, field);
  store<u32>(to, len, 1);
  used += PATCH_HEADER + len;
  return to + PATCH_HEADER;
}

// done returns what ec_http returns, and begins a new verdict.
export function done(): u64 {
  const n = used;
  used = 0;
  return n ? <u64>VERDICT << 32 | n : 0;
}

function act(action: u32, status: u32): void { store<u32>(put(HTTP_FIELD_ACTION, 4), action | status << 16); }

function utf8(text: string): u32 { return <u32>String.UTF8.byteLength(text); }

function encode(text: string, to: usize): usize {
  return to + String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, to);
}

// putText adds a field of a text, putBytes one of len bytes at from.
export function putText(field: u8, text: string): void { encode(text, put(field, utf8(text))); }
export function putBytes(field: u8, from: usize, len: u32): void { copy(put(field, len), from, len); }

function number(field: u8, ms: i64): void { store<i64>(put(field, 8), ms); }

function edit(field: u8, name: string, from: usize, len: u32): void {
  const n = utf8(name), to = put(field, 2 + n + len);
  store<u16>(to, <u16>n);
  copy(encode(name, to + 2), from, len);
}

// request: bypass goes to the origin by the cache; the others answer, deny with a status from 400 to 599, redirect with 301,
// 302, 303, 307 or 308.
export function bypass(): void { act(HTTP_ACTION_BYPASS, 0); }
export function deny(status: u32, body: string): void {
  act(HTTP_ACTION_DENY, status);
  putText(HTTP_FIELD_BODY, body);
}
export function redirect(status: u32, from: usize, len: u32): void {
  act(HTTP_ACTION_REDIRECT, status);
  putBytes(HTTP_FIELD_LOCATION, from, len);
}
export function answer(status: u32, body: string): void {
  act(HTTP_ACTION_SYNTH, status);
  putText(HTTP_FIELD_BODY, body);
}

// request, response, deliver: set puts one line in the place of all of that name, add adds one, remove takes all away.
export function set(name: string, from: usize, len: u32): void { edit(HTTP_FIELD_SET, name, from, len); }
export function add(name: string, from: usize, len: u32): void { edit(HTTP_FIELD_ADD, name, from, len); }
export function remove(name: string): void { putText(HTTP_FIELD_REMOVE, name); }

// key: setTarget is path and query in the place of the request's, for the origin, too, unless hide is called; extra is added to
// the key; vary is a value in the place of the request's where a response's Vary names the field.
export function setTarget(from: usize, len: u32): void { putBytes(HTTP_FIELD_TARGET, from, len); }
export function hide(): void { put(HTTP_FIELD_HIDE, 0); }
export function extra(from: usize, len: u32): void { putBytes(HTTP_FIELD_EXTRA, from, len); }
export function vary(name: string, from: usize, len: u32): void { edit(HTTP_FIELD_VARY, name, from, len); }

// lookup: the stored response is validated even if it is fresh, or another one is fetched.
export function revalidate(): void { store<u8>(put(HTTP_FIELD_LOOKUP, 1), <u8>HTTP_LOOKUP_REVALIDATE); }
export function miss(): void { store<u8>(put(HTTP_FIELD_LOOKUP, 1), <u8>HTTP_LOOKUP_MISS); }

// response: whether it is kept, for how many milliseconds, and tags for purging.
export function keep(yes: bool): void { store<u8>(put(HTTP_FIELD_STORE, 1), <u8>yes); }
export function ttl(ms: i64): void { number(HTTP_FIELD_TTL, ms); }
export function swr(ms: i64): void { number(HTTP_FIELD_SWR, ms); }
export function sie(ms: i64): void { number(HTTP_FIELD_SIE, ms); }
export function tag(from: usize, len: u32): void { putBytes(HTTP_FIELD_TAG, from, len); }

// admit: it is not kept.
export function refuse(): void { put(HTTP_FIELD_REFUSE, 0); }
