// policy.ts is what an eviction policy needs: it decides what a full cache throws out. It sees numbers from 0 to objects-1,
// never keys, so arrays are all it needs. docs/ABI.md explains the calls that stand behind it.
//
// A policy is five global functions, and the exports that are made of them:
//
//   import { ... } from "edgecache/policy";
//   export {
//     edgecache_abi_policy_1, ec_buf, ec_policy_init, ec_policy_batch, ec_policy_hit, ec_policy_insert, ec_policy_evict,
//     ec_policy_remove,
//   } from "edgecache/policy";
//
//   @global function init(): bool { ... }                        // once, ahead of all: takes its arrays, reads parameters
//   @global function hit(id: u32): void { ... }                  // a resident object was asked for
//   @global function insert(id: u32, size: u32): void { ... }    // an absent one was; it is resident from here on
//   @global function evict(): u32 { ... }                        // room is needed: picks a resident object, which is gone
//   @global function remove(id: u32): void { ... }               // a resident object is gone for another reason
//
// A policy that keeps objects out also has admit(id: u32, size: u32): bool, asked on a miss before room is made, and exports
// ec_policy_admit. One that remembers what it threw out exports ec_policy_forget(id: u32): void, a function of its own.
//
// Parameters are read by "edgecache/config", as fields that are strings: config.quoted reads a number. What init does not
// read is refused. What is resident, how large it is and how much room is left is kept here.
import {
  BUF_KEY, FRAME_HITS, FRAME_IDS, FRAME_SIZE, FRAME_SIZES, FRAME_VICTIMS, SPEC_BATCH, SPEC_BYTES, SPEC_CAPACITY, SPEC_FLAGS,
  SPEC_MOST, SPEC_OBJECTS, SPEC_PARAMS, SPEC_PARAMS_LEN, SPEC_SEED, VICTIM_AT, VICTIM_ID, VICTIM_SIZE, key,
} from "edgecache";
import * as config from "edgecache/config";
export { ec_buf } from "edgecache";

// The cache that the policy works for.
export let capacity: u64 = 0; // how much fits: objects, or bytes where sizes count
export let seed: u64 = 0; // for policies that choose by chance: the same seed, the same choices
export let objects: u32 = 0; // ids go from 0 to objects-1
export let most: u32 = 0; // how many can be resident at once
export let sized: bool = false; // whether the capacity is bytes; else every object has size 1

let used: u64 = 0;
let states: usize = 0; // by id, a byte: whether it is resident
let sizes: usize = 0; // by id, a u32, where sizes count
const FRAME: usize = memory.data(<i32>FRAME_SIZE, 8);

// resident reports whether an object is resident.
// @ts-ignore: decorator
@inline export function resident(id: u32): bool { return load<u8>(states + id) != 0; }

// size returns the size of an object that is resident, or of one that was, when it came last: 1 where sizes do not count.
// @ts-ignore: decorator
@inline export function size(id: u32): u32 { return sized ? load<u32>(sizes + (<usize>id << 2)) : 1; }

// inUse returns how much of the capacity is used.
// @ts-ignore: decorator
@inline export function inUse(): u64 { return used; }

let free: usize = 0; // memory that has not been given away: from here
let end: usize = 0; // to here

// alloc returns the address of n elements of that many bytes, all 0, for good; 0 where memory may not grow so far, which is
// refused.
export function alloc(n: u64, bytes: u32): usize {
  const want = (n * bytes + 7) & ~7;
  if (want > <u64>(end - free)) {
    const pages = (want + 0xffff) >> 16;
    const page = pages < 0x10000 ? memory.grow(<i32>pages) : -1;
    if (page < 0) {
      config.refuse("there is not enough memory for so many objects");
      return 0;
    }
    const begin = <usize>page << 16;
    if (end != begin) free = begin;
    end = begin + (<usize>pages << 16);
  }
  free += <usize>want;
  return free - <usize>want;
}

// Lists of objects, from the newest to the oldest. Each is a ring through a place of its own behind those of the objects, its
// root, so that no end needs care. An object is in one of the lists or in none; lists are called 0, 1 and so on.

let links: usize = 0; // by id and root: the newer u32, then the older u32

// @ts-ignore: decorator
@inline const NEWER: usize = 0;
// @ts-ignore: decorator
@inline const OLDER: usize = 4;
// @ts-ignore: decorator
@inline function at(id: u32): usize { return links + (<usize>id << 3); }

// lists makes n empty lists, and reports whether there is memory for them.
export function lists(n: u32): bool {
  links = alloc(<u64>objects + n, 8);
  if (!links) return false;
  for (let r = objects; r < objects + n; r++) {
    store<u32>(at(r), r, NEWER);
    store<u32>(at(r), r, OLDER);
  }
  return true;
}

// root returns what stands in the place of an object at the ends of a list.
// @ts-ignore: decorator
@inline export function root(list: u32): u32 { return objects + list; }

// newer returns the one that came after an object into its list, the root behind the newest; of a root, the oldest.
// @ts-ignore: decorator
@inline export function newer(id: u32): u32 { return load<u32>(at(id), NEWER); }

// older returns the one that came before an object into its list, the root before the oldest; of a root, the newest.
// @ts-ignore: decorator
@inline export function older(id: u32): u32 { return load<u32>(at(id), OLDER); }

// push makes an object that is in no list the newest of one. The higher address is first: the host then checks the other one
// no more.
// @ts-ignore: decorator
@inline export function push(list: u32, id: u32): void {
  const r = root(list), newest = older(r), to = at(id);
  store<u32>(to, newest, OLDER);
  store<u32>(to, r, NEWER);
  store<u32>(at(newest), id, NEWER);
  store<u32>(at(r), id, OLDER);
}

// unlink takes an object out of the list that it is in.
// @ts-ignore: decorator
@inline export function unlink(id: u32): void {
  const o = older(id), n = newer(id);
  store<u32>(at(n), o, OLDER);
  store<u32>(at(o), n, NEWER);
}

// touch makes an object of a list, whichever it is in, the newest of one.
// @ts-ignore: decorator
@inline export function touch(list: u32, id: u32): void {
  unlink(id);
  push(list, id);
}

// oldest returns the oldest of a list, its root if it is empty.
// @ts-ignore: decorator
@inline export function oldest(list: u32): u32 { return newer(root(list)); }

// pop takes the oldest out of a list, which must not be empty, and returns it.
// @ts-ignore: decorator
@inline export function pop(list: u32): u32 {
  const id = oldest(list);
  unlink(id);
  return id;
}

// What follows is for the host.

// edgecache_abi_policy_1 says which ABI the module was built for.
export function edgecache_abi_policy_1(): void {}

// ec_policy_init returns where the frame is, or 0 with the reason in the call buffer.
export function ec_policy_init(len: u32): usize {
  const spec = key() - BUF_KEY;
  capacity = load<u64>(spec, SPEC_CAPACITY);
  seed = load<u64>(spec, SPEC_SEED);
  objects = load<u32>(spec, SPEC_OBJECTS);
  most = load<u32>(spec, SPEC_MOST);
  sized = (load<u32>(spec, SPEC_FLAGS) & SPEC_BYTES) != 0;
  const batch = load<u32>(spec, SPEC_BATCH), params = load<u32>(spec, SPEC_PARAMS_LEN);
  memory.copy(key(), spec + SPEC_PARAMS, params); // where configurations are read
  config.open(params);
  // @ts-ignore: global
  if (reserve(batch) && !init()) config.refuse("init returned false");
  while (!config.ended() && config.field()) config.unknown("others");
  const refused = config.close();
  if (!refused) return FRAME;
  memory.copy(spec, key(), refused);
  store<u8>(spec + refused, 0);
  return 0;
}

// reserve takes what is needed beside the policy's own, and reports whether it was there.
function reserve(batch: u32): bool {
  store<u32>(FRAME, <u32>alloc(batch, 4), FRAME_IDS);
  store<u32>(FRAME, <u32>alloc(batch, 4), FRAME_SIZES);
  store<u32>(FRAME, <u32>alloc((<u64>batch + 31) >> 5, 4), FRAME_HITS);
  store<u32>(FRAME, <u32>alloc(<u64>most + batch, VICTIM_SIZE), FRAME_VICTIMS);
  states = alloc(objects, 1);
  if (sized) sizes = alloc(objects, 4);
  return !config.failed();
}

// came accounts for an object that is resident from here on.
// @ts-ignore: decorator
@inline function came(id: u32, size: u32): void {
  store<u8>(states + id, 1);
  if (sized) store<u32>(sizes + (<usize>id << 2), size);
  used += size;
}

// went accounts for an object that is not resident from here on. It returns false if there is no such object: the host must
// see that.
// @ts-ignore: decorator
@inline function went(id: u32): bool {
  if (id >= objects || !resident(id)) return false;
  store<u8>(states + id, 0);
  used -= size(id);
  return true;
}

// note writes down an object that request i makes go, and returns where the next one goes.
// @ts-ignore: decorator
@inline function note(to: usize, i: u32, id: u32): usize {
  store<u32>(to, id, VICTIM_ID);
  store<u32>(to, i, VICTIM_AT);
  return to + VICTIM_SIZE;
}

// ec_policy_batch goes through n requests and returns how many victims there are.
export function ec_policy_batch(n: u32): u32 {
  const ids: usize = load<u32>(FRAME, FRAME_IDS), hits: usize = load<u32>(FRAME, FRAME_HITS);
  const victims: usize = load<u32>(FRAME, FRAME_VICTIMS);
  let to = victims;
  memory.fill(hits, 0, (n + 31) >> 5 << 2);
  for (let i: u32 = 0; i < n; i++) {
    const id = load<u32>(ids + (<usize>i << 2));
    if (resident(id)) {
      const byte = hits + (i >> 3);
      store<u8>(byte, load<u8>(byte) | <u8>(<u32>1 << (i & 7)));
      // @ts-ignore: global
      hit(id);
      continue;
    }
    const size: u32 = sized ? load<u32>(<usize>load<u32>(FRAME, FRAME_SIZES) + (<usize>i << 2)) : 1;
    // @ts-ignore: global
    if (isDefined(admit)) {
      // @ts-ignore: global
      if (!admit(id, size)) {
        to = note(to, i, id);
        continue;
      }
    }
    while (used + size > capacity) {
      // @ts-ignore: global
      const victim: u32 = evict();
      to = note(to, i, victim);
      if (!went(victim)) return <u32>(to - victims) / VICTIM_SIZE;
    }
    came(id, size);
    // @ts-ignore: global
    insert(id, size);
  }
  return <u32>(to - victims) / VICTIM_SIZE;
}

export function ec_policy_hit(id: u32): void {
  // @ts-ignore: global
  hit(id);
}

export function ec_policy_insert(id: u32, size: u32): void {
  came(id, size);
  // @ts-ignore: global
  insert(id, size);
}

export function ec_policy_evict(): u32 {
  // @ts-ignore: global
  const id: u32 = evict();
  went(id);
  return id;
}

export function ec_policy_remove(id: u32): void {
  went(id);
  // @ts-ignore: global
  remove(id);
}

export function ec_policy_admit(id: u32, size: u32): bool {
  // @ts-ignore: global
  return admit(id, size);
}
