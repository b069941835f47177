//! LZ4 blocks: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md

const LEAST: usize = 4; // bytes of a match
const TAIL: usize = 5; // the last bytes are literals
const LAST: usize = 12; // and the last match begins this far from the end
const FARTHEST: usize = 65535; // how far back a match can be

const TABLE_BITS: u32 = 12;

/// Where words of four bytes were seen last, by their hash. The place is one too high, and 0 is none.
pub type Table = [u32; 1 << TABLE_BITS];

pub const EMPTY: Table = [0; 1 << TABLE_BITS];

/// Compresses from and returns the length, or None where to is too small. What the table holds does not matter.
pub fn compress(from: &[u8], to: &mut [u8], table: &mut Table) -> Option<usize> {
    *table = EMPTY;
    let mut to = Writer { to, len: 0 };
    let (mut at, mut start) = (0, 0); // of the next word to look at, of the literals before it
    while at + LAST <= from.len() {
        let word = word(from, at);
        let slot = &mut table[(word.wrapping_mul(2654435761) >> (32 - TABLE_BITS)) as usize];
        let seen = (*slot as usize).wrapping_sub(1);
        *slot = at as u32 + 1;
        if seen >= at || at - seen > FARTHEST || self::word(from, seen) != word {
            at += 1 + (at - start) / 64; // what does not compress is passed over faster and faster
            continue;
        }
        let len = LEAST + common(&from[seen + LEAST..], &from[at + LEAST..from.len() - TAIL]);
        to.sequence(&from[start..at], len - LEAST)?;
        to.put(&((at - seen) as u16).to_le_bytes())?;
        to.rest(len - LEAST)?;
        at += len;
        start = at;
    }
    to.sequence(&from[start..], 0)?;
    Some(to.len)
}

fn word(from: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&from[at..at + 4]);
    u32::from_le_bytes(word)
}

/// Returns how many bytes are the same at the front of both.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

struct Writer<'a> {
    to: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        edgecache::copy(self.to.get_mut(self.len..self.len + bytes.len())?, bytes);
        self.len += bytes.len();
        Some(())
    }

    /// Writes literals, and how far the match behind them goes beyond the least if that fits.
    fn sequence(&mut self, literals: &[u8], more: usize) -> Option<()> {
        self.put(&[(literals.len().min(15) << 4 | more.min(15)) as u8])?;
        self.rest(literals.len())?;
        self.put(literals)
    }

    /// Writes what of a length did not fit into four bits.
    fn rest(&mut self, len: usize) -> Option<()> {
        let mut rest = match len.checked_sub(15) {
            Some(rest) => rest,
            None => return Some(()),
        };
        while rest >= 255 {
            self.put(&[255])?;
            rest -= 255;
        }
        self.put(&[rest as u8])
    }
}

/// Restores what takes all of to, or returns None: whatever from is, nothing else is read or written.
pub fn restore(from: &[u8], to: &mut [u8]) -> Option<()> {
    let mut from = Reader { from };
    let mut len = 0;
    loop {
        let token = from.take(1)?[0];
        let literals = from.length(token >> 4)?;
        let end = len + literals;
        edgecache::copy(to.get_mut(len..end)?, from.take(literals)?);
        len = end;
        if from.from.is_empty() {
            return if len == to.len() { Some(()) } else { None };
        }
        let back = match from.take(2)? {
            &[low, high] => u16::from_le_bytes([low, high]) as usize,
            _ => return None,
        };
        let end = len + LEAST + from.length(token & 15)?;
        if back == 0 || back > len || end > to.len() {
            return None;
        }
        repeat(to, len, end, back);
        len = end;
    }
}

/// Fills to[len..end] with what stands back bytes before each.
fn repeat(to: &mut [u8], len: usize, end: usize, back: usize) {
    if back >= end - len {
        let (before, behind) = to.split_at_mut(len);
        let start = len - back;
        return edgecache::copy(&mut behind[..end - len], &before[start..start + end - len]);
    }
    for i in len..end {
        to[i] = to[i - back];
    }
}

struct Reader<'a> {
    from: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let taken = self.from.get(..n)?;
        self.from = &self.from[n..];
        Some(taken)
    }

    /// Returns a length of which four bits are known.
    fn length(&mut self, bits: u8) -> Option<usize> {
        let mut len = bits as usize;
        while bits == 15 {
            let more = self.take(1)?[0];
            len += more as usize;
            if more < 255 {
                break;
            }
        }
        Some(len)
    }
}
