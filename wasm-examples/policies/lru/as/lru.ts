// lru throws out what was not asked for the longest. See ../README.md.
import { lists, pop, push, touch, unlink } from "edgecache/policy";
export {
  edgecache_abi_policy_1, ec_buf, ec_policy_init, ec_policy_batch, ec_policy_hit, ec_policy_insert, ec_policy_evict,
  ec_policy_remove,
} from "edgecache/policy";

// @ts-ignore: decorator
@global function init(): bool { return lists(1); }

// @ts-ignore: decorator
@global @inline function hit(id: u32): void { touch(0, id); }

// @ts-ignore: decorator
@global @inline function insert(id: u32, size: u32): void { push(0, id); }

// @ts-ignore: decorator
@global @inline function evict(): u32 { return pop(0); }

// @ts-ignore: decorator
@global function remove(id: u32): void { unlink(id); }
