// remember is an LRU that keeps out what it has thrown out, the next time that this is asked for, unless it was told to forget
// it: admit and forget at work.
import { alloc, lists, objects, pop, push, touch, unlink } from "edgecache/policy";
export {
  edgecache_abi_policy_1, ec_buf, ec_policy_init, ec_policy_batch, ec_policy_hit, ec_policy_insert, ec_policy_evict,
  ec_policy_remove, ec_policy_admit,
} from "edgecache/policy";

let gone: usize = 0; // by id, a byte: it was thrown out

// @ts-ignore: decorator
@global function init(): bool {
  gone = alloc(objects, 1);
  return gone != 0 && lists(1);
}

// @ts-ignore: decorator
@global @inline function hit(id: u32): void { touch(0, id); }

// @ts-ignore: decorator
@global function admit(id: u32, size: u32): bool {
  const was = load<u8>(gone + id);
  store<u8>(gone + id, 0);
  return !was;
}

// @ts-ignore: decorator
@global @inline function insert(id: u32, size: u32): void { push(0, id); }

// @ts-ignore: decorator
@global function evict(): u32 {
  const id = pop(0);
  store<u8>(gone + id, 1);
  return id;
}

// @ts-ignore: decorator
@global function remove(id: u32): void { unlink(id); }

export function ec_policy_forget(id: u32): void { store<u8>(gone + id, 0); }
