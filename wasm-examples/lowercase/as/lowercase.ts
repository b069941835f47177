// lowercase puts the ASCII capitals of keys in lower case and a prefix before them. See ../README.md.
import { ACTION_KEY, ACTION_NONE, act, answer, copy, key } from "edgecache";
import * as config from "edgecache/config";
export { edgecache_abi_hook_1, ec_buf } from "edgecache";

const MAX_PREFIX: u32 = 512;
const PREFIX: usize = memory.data(<i32>MAX_PREFIX);
let prefixLen: u32 = 0;

export function ec_init(len: u32, features: u64): u32 {
  config.open(len);
  while (config.field()) {
    if (config.is("prefix")) prefixLen = config.text(PREFIX, MAX_PREFIX);
    else config.unknown("prefix");
  }
  return config.close();
}

export function ec_before(op: u32, keyLen: u32, valueLen: u32, ttlMs: i64, flags: u32): u64 {
  const from = key(), to = copy(answer(), PREFIX, prefixLen);
  let changed: u64 = prefixLen;
  // Eight bytes at a time, beyond the key's end too: there is room on both sides.
  for (let i: u32 = 0; i < keyLen; i += 8) {
    const x = load<u64>(from + i), y = lower(x);
    store<u64>(to + i, y);
    changed |= x ^ y;
  }
  return changed ? act(ACTION_KEY, answer(), prefixLen + keyLen) : ACTION_NONE;
}

// lower makes the ASCII capitals among eight bytes small: a byte is one if it has no high bit, and adding what is
// missing sets the high bit from A on but not yet behind Z.
function lower(x: u64): u64 {
  const ones: u64 = 0x0101010101010101, high: u64 = 0x80 * ones;
  const low = x & ~high;
  const capital = (low + 0x3f * ones) & ~(low + 0x25 * ones) & ~x & high;
  return x | capital >> 2;
}
