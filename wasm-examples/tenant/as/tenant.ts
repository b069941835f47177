// tenant gives every tenant a namespace, and counts and limits what it does. See ../README.md.
import {
  ACTION_DENY, ACTION_EXT, FIELD_KEY, FIELD_NAMESPACE, PATCH_HEADER, KV_FAILED, NAMESPACE_ALL,
  act, answer, block, copy, deny, key, kvAdd, label, namespaceLen, patch, patchHeader, write, writeNumber,
} from "edgecache";
import * as config from "edgecache/config";
export { edgecache_abi_hook_1, ec_buf } from "edgecache";

const MAX_TENANT: u32 = 256;
const COLON: u8 = 0x3a, SLASH: u8 = 0x2f, PERCENT: u8 = 0x25;

let windowMs: i64 = 60_000;
let limit: i64 = 0;

// A row of statistics: label, admitted, over_limit, nameless.
const ROW: usize = memory.data(32, 8);
const ADMITTED = ROW + 8, OVER_LIMIT = ROW + 16, NAMELESS = ROW + 24;

export function ec_init(len: u32, features: u64): u32 {
  config.open(len);
  while (config.field()) {
    if (config.is("window_ms")) windowMs = config.integer(1, 86_400_000);
    else if (config.is("limit")) limit = config.integer(0, 1_000_000_000_000);
    else config.unknown("window_ms or limit");
  }
  return config.close();
}

export function ec_before(op: u32, keyLen: u32, valueLen: u32, ttlMs: i64, flags: u32): u64 {
  const tenant = key(), len = nameLen(tenant, keyLen);
  if (len == 0 || len > MAX_TENANT) {
    count(NAMELESS);
    return deny(len ? "the tenant's name is longer than 256 bytes" : "no tenant in the key");
  }
  const used = kvAdd(tenant, len, 1, windowMs);
  if (limit && (used > limit || used == KV_FAILED)) {
    count(OVER_LIMIT);
    return used == KV_FAILED ? deny("too many tenants to count") : overLimit();
  }
  count(ADMITTED);
  return move(tenant, len, keyLen);
}

// ec_stats reports one row, of all operations in all namespaces.
export function ec_stats(): u64 {
  store<u64>(ROW, label(0, NAMESPACE_ALL));
  return block(ROW, 1);
}

// nameLen returns how many bytes stand before the first colon, 0 where there is none.
function nameLen(at: usize, len: u32): u32 {
  for (let i: u32 = 0; i < len; i++) {
    if (load<u8>(at + i) == COLON) return i;
  }
  return 0;
}

// move returns the action that moves the key, without its tenant, to the tenant's namespace.
function move(tenant: usize, len: u32, keyLen: u32): u64 {
  const path = answer() + PATCH_HEADER;
  let to = path;
  const outer = namespaceLen();
  if (outer) {
    to = copy(to, tenant + keyLen, outer);
    store<u8>(to++, SLASH);
  }
  store<u64>(to, load<u64>(TENANTS));
  to = escape(to + 8, tenant, len);
  patchHeader(answer(), FIELD_NAMESPACE, <u32>(to - path));
  to = patch(to, FIELD_KEY, tenant + len + 1, keyLen - len - 1);
  return act(ACTION_EXT, answer(), <u32>(to - answer()));
}

const TENANTS: usize = memory.data<u8>([0x74, 0x65, 0x6e, 0x61, 0x6e, 0x74, 0x73, 0x2f]); // tenants/

// escape copies a name as it stands in a namespace's path and returns where it ends.
function escape(to: usize, name: usize, len: u32): usize {
  for (let i: u32 = 0; i < len; i++) {
    const c = load<u8>(name + i);
    store<u8>(to++, c == SLASH ? PERCENT : c);
    if (c != SLASH && c != PERCENT) continue;
    store<u16>(to, c == SLASH ? 0x4632 : 0x3532); // 2F and 25
    to += 2;
  }
  return to;
}

function overLimit(): u64 {
  let to = write(answer(), "over the limit of ");
  to = write(writeNumber(to, limit), " in ");
  to = write(writeNumber(to, windowMs), " ms");
  return act(ACTION_DENY, answer(), <u32>(to - answer()));
}

// @ts-ignore: decorator
@inline function count(column: usize): void { store<u64>(column, load<u64>(column) + 1); }
