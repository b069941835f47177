// ttl gives keys a time to live by their pattern. See ../README.md.
import {
  ACTION_EXT, ACTION_NONE, OP_EXPIRE, TTL_DEFAULT,
  act, answer, key, patchTTL, random,
} from "edgecache";
import * as config from "edgecache/config";
import { GLOB_SIZE, matches, parse } from "edgecache/glob";
export { edgecache_abi_hook_1, ec_buf } from "edgecache";

const MAX_RULES: u32 = 64;
const MAX_PATTERN: u32 = 256; // bytes
const MAX_TTL: u64 = 315_360_000; // ten years in seconds

// A rule is a time to live in milliseconds, the largest share taken off it, a glob and the glob's text.
const TTL = 0, JITTER = 8, GLOB = 16, PATTERN = GLOB + GLOB_SIZE + 4; // rules are aligned to 8
const RULE = PATTERN + MAX_PATTERN;

const RULES: usize = memory.data(<i32>(MAX_RULES * RULE), 8);
let rules: u32 = 0;
let force = false; // also over what the client asked for

const SEED: usize = memory.data(8, 8);

export function ec_init(len: u32, features: u64): u32 {
  config.open(len);
  while (config.field()) {
    if (config.is("rules")) readRules();
    else if (config.is("force")) force = config.flag();
    else config.unknown("rules or force");
  }
  random(SEED, 8);
  return config.close();
}

function readRules(): void {
  config.array();
  while (config.item()) {
    if (rules == MAX_RULES) config.fail("more than 64 rules");
    else readRule(RULES + RULE * rules++);
  }
}

function readRule(rule: usize): void {
  let hasMatch = false;
  config.object();
  while (config.field()) {
    if (config.is("match")) hasMatch = readGlob(rule);
    else if (config.is("ttl_s")) store<i64>(rule, 1000 * config.integer(1, MAX_TTL), TTL);
    else if (config.is("jitter")) store<f64>(rule, config.number(0, 1), JITTER);
    else config.unknown("match, ttl_s or jitter");
  }
  if (!hasMatch || !load<i64>(rule, TTL)) config.fail("a rule needs match and ttl_s");
}

function readGlob(rule: usize): bool {
  const wrong = parse(rule + GLOB, rule + PATTERN, config.text(rule + PATTERN, MAX_PATTERN));
  if (wrong.length) config.fail(wrong);
  return true;
}

export function ec_before(op: u32, keyLen: u32, valueLen: u32, ttlMs: i64, flags: u32): u64 {
  if (!force && (ttlMs != TTL_DEFAULT || op == OP_EXPIRE)) return ACTION_NONE;
  for (let rule = RULES, end = RULES + RULE * rules; rule < end; rule += RULE) {
    if (!matches(rule + GLOB, key(), keyLen)) continue;
    return act(ACTION_EXT, answer(), <u32>(patchTTL(answer(), draw(rule)) - answer()));
  }
  return ACTION_NONE;
}

// draw returns the rule's time to live in milliseconds, less a random share of it.
function draw(rule: usize): i64 {
  const ttl = load<i64>(rule, TTL), jitter = load<f64>(rule, JITTER);
  if (jitter == 0) return ttl;
  const share = jitter * <f64>(next() >> 11) / 9007199254740992; // 2^53
  return max(ttl - <i64>(share * <f64>ttl), 1);
}

// next is SplitMix64 by Steele, Lea and Flood: https://doi.org/10.1145/2714064.2660195
function next(): u64 {
  const seed = load<u64>(SEED) + 0x9e3779b97f4a7c15;
  store<u64>(SEED, seed);
  let z = seed;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}
