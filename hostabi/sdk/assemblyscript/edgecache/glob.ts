// glob.ts has patterns in which * stands for any run of bytes, also of none, and a backslash takes its meaning from a
// star or a backslash. A text matches as a whole, byte by byte.
import { equal } from "edgecache";

// MAX_STARS is how many stars a pattern may have.
export const MAX_STARS = 9;

// parse takes the pattern of len bytes apart, in place, and writes the glob, GLOB_SIZE bytes aligned to 4, to the given
// place. It returns "", or what is wrong.
export function parse(glob: usize, pattern: usize, len: u32): string {
  let part = pattern, to = pattern, n = 0;
  for (let i: u32 = 0; i < len; i++) {
    let c = load<u8>(pattern + i);
    if (c == 0x2a) {
      if (n == MAX_STARS) return "more than 9 stars in a pattern";
      setPart(glob, n++, part, to);
      part = to;
      continue;
    }
    if (c == 0x5c) {
      c = ++i < len ? load<u8>(pattern + i) : 0;
      if (c != 0x2a && c != 0x5c) return "backslash before neither * nor \\ in a pattern";
    }
    store<u8>(to++, c);
  }
  setPart(glob, n, part, to);
  store<u32>(glob, n);
  return "";
}

// A glob is the number of its stars, and what stands between them: addresses and lengths.
export const GLOB_SIZE = 4 + 8 * (MAX_STARS + 1);

function setPart(glob: usize, i: u32, from: usize, to: usize): void {
  store<u32>(glob + 8 * i, <u32>from, 4);
  store<u32>(glob + 8 * i, <u32>(to - from), 8);
}

// @ts-ignore: decorator
@inline function partAt(glob: usize, i: u32): usize { return load<u32>(glob + 8 * i, 4); }

// @ts-ignore: decorator
@inline function partLen(glob: usize, i: u32): u32 { return load<u32>(glob + 8 * i, 8); }

// matches reports whether the glob matches all of the len bytes.
export function matches(glob: usize, at: usize, len: u32): bool {
  const stars = load<u32>(glob), first = partLen(glob, 0), last = partLen(glob, stars);
  if (!stars) return len == first && equal(at, partAt(glob, 0), len);
  if (len < first + last || !equal(at, partAt(glob, 0), first)) return false;
  const end = at + len - last;
  if (!equal(end, partAt(glob, stars), last)) return false;
  at += first;
  for (let i: u32 = 1; i < stars; i++) {
    const part = partAt(glob, i), n = partLen(glob, i);
    while (at + n <= end && !equal(at, part, n)) at++;
    if (at + n > end) return false;
    at += n;
  }
  return true;
}
