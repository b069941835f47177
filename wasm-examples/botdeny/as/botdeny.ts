// botdeny answers robots by their User-Agent with 403. See ../README.md.
import { NAMESPACE_ALL, block, label, write } from "edgecache";
import * as config from "edgecache/config";
import * as http from "edgecache/http";
export { ec_buf } from "edgecache";
export { edgecache_abi_http_1 } from "edgecache/http";

const USER_AGENT: u32 = 0; // the manifest's headers
const MAX_WORDS: u32 = 128;
const MAX_WORD: u32 = 64; // bytes

// A word is its length and its bytes, in lower case.
const WORD: u32 = 4 + MAX_WORD;
const WORDS: usize = memory.data(<i32>(MAX_WORDS * WORD), 8);
let words: u32 = 0;
let allowed: u32 = 0; // how many of them, the first, let pass
let empty = false; // whether a request without the field is refused

const MAX_AGENT: u32 = 1024; // as much of a field is looked at
const AGENT: usize = memory.data(<i32>MAX_AGENT, 8);
const ROW: usize = memory.data(16, 8);

export function ec_init(len: u32, features: u64): u32 {
  store<u64>(ROW, label(0, NAMESPACE_ALL));
  let given = false;
  config.open(len);
  while (config.field()) {
    if (config.is("allow")) {
      if (given) config.fail("allow must stand before deny");
      readWords();
      allowed = words;
    } else if (config.is("deny")) {
      readWords();
      given = true;
    } else if (config.is("empty")) empty = config.flag();
    else config.unknown("allow, deny or empty");
  }
  if (!given) addDefaults();
  return config.close();
}

function readWords(): void {
  config.array();
  while (config.item()) {
    if (words == MAX_WORDS) {
      config.fail("more than 128 words");
      continue;
    }
    const word = WORDS + WORD * words++, n = config.text(word + 4, MAX_WORD);
    if (!n) config.fail("a word is empty");
    store<u32>(word, n);
    lower(word + 4, word + 4, n);
  }
}

function addDefaults(): void {
  addDefault("gptbot");
  addDefault("ccbot");
  addDefault("bytespider");
  addDefault("ahrefsbot");
  addDefault("semrushbot");
  addDefault("mj12bot");
  addDefault("python-requests");
  addDefault("scrapy");
}

function addDefault(name: string): void {
  if (words == MAX_WORDS) return;
  const word = WORDS + WORD * words++;
  store<u32>(word, <u32>(write(word + 4, name) - word - 4));
}

// lower writes n bytes with A to Z made small.
function lower(to: usize, from: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const c = load<u8>(from + i);
    store<u8>(to + i, c - 0x41 < 26 ? c | 0x20 : c);
  }
}

export function ec_http(phase: u32, len: u32): u64 {
  const has = http.header(USER_AGENT) && http.size > 0;
  if (has ? !isRobot(http.at, min(http.size, MAX_AGENT)) : !empty) return 0;
  store<u64>(ROW, load<u64>(ROW, 8) + 1, 8);
  http.deny(403, "Robots are not served here.\n");
  const kind = memory.data(32);
  http.set("content-type", kind, <u32>(write(kind, "text/plain; charset=utf-8") - kind));
  return http.done();
}

// isRobot reports whether a User-Agent has a word that is refused, and none that is let pass.
function isRobot(at: usize, n: u32): bool {
  lower(AGENT, at, n);
  for (let i: u32 = 0; i < words; i++) {
    if (contains(n, WORDS + WORD * i)) return i >= allowed;
  }
  return false;
}

// contains reports whether the word stands in the n bytes at AGENT.
function contains(n: u32, word: usize): bool {
  const size = load<u32>(word), first = load<u8>(word, 4);
  for (let i: u32 = 0; i + size <= n; i++) {
    if (load<u8>(AGENT + i) != first) continue;
    let same: u32 = 1;
    while (same < size && load<u8>(AGENT + i + same) == load<u8>(word + 4 + same)) same++;
    if (same == size) return true;
  }
  return false;
}

export function ec_stats(): u64 { return block(ROW, 1); }
