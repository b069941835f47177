// sizefirst throws out the largest of the objects that were not asked for the longest. See ../README.md.
import * as config from "edgecache/config";
import { lists, newer, oldest, push, root, size, touch, unlink } from "edgecache/policy";
export {
  edgecache_abi_policy_1, ec_buf, ec_policy_init, ec_policy_batch, ec_policy_hit, ec_policy_insert, ec_policy_evict,
  ec_policy_remove,
} from "edgecache/policy";

let window: u64 = 16; // how many of the oldest it chooses from

// @ts-ignore: decorator
@global function init(): bool {
  while (config.field()) {
    if (config.is("window")) window = config.quoted(1, 1000);
    else config.unknown("window");
  }
  return lists(1);
}

// @ts-ignore: decorator
@global @inline function hit(id: u32): void { touch(0, id); }

// @ts-ignore: decorator
@global @inline function insert(id: u32, size: u32): void { push(0, id); }

// @ts-ignore: decorator
@global function evict(): u32 {
  let largest = oldest(0);
  let id = newer(largest);
  for (let n: u64 = 1; n < window && id != root(0); n++, id = newer(id)) {
    if (size(id) > size(largest)) largest = id;
  }
  unlink(largest);
  return largest;
}

// @ts-ignore: decorator
@global function remove(id: u32): void { unlink(id); }
