// sieve is a queue through which a hand goes from the oldest object to the newest, and throws out the first that was not
// asked for since the hand came by. See ../README.md.
import { alloc, lists, newer, objects, push, root, unlink } from "edgecache/policy";
export {
  edgecache_abi_policy_1, ec_buf, ec_policy_init, ec_policy_batch, ec_policy_hit, ec_policy_insert, ec_policy_evict,
  ec_policy_remove,
} from "edgecache/policy";

let hand: u32 = 0; // the next to look at; the list's root is the oldest
let asked: usize = 0; // by id, a byte: whether it was asked for since the hand came by

// @ts-ignore: decorator
@global function init(): bool {
  hand = root(0);
  asked = alloc(objects, 1);
  return asked != 0 && lists(1);
}

// @ts-ignore: decorator
@global @inline function hit(id: u32): void { store<u8>(asked + id, 1); }

// @ts-ignore: decorator
@global @inline function insert(id: u32, size: u32): void {
  store<u8>(asked + id, 0);
  push(0, id);
}

// @ts-ignore: decorator
@global function evict(): u32 {
  let id = hand;
  while (id == root(0) || load<u8>(asked + id)) {
    if (id != root(0)) store<u8>(asked + id, 0);
    id = newer(id);
  }
  hand = id;
  remove(id);
  return id;
}

// @ts-ignore: decorator
@global @inline function remove(id: u32): void {
  if (hand == id) hand = newer(id);
  unlink(id);
}
