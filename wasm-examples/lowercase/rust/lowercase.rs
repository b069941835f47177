//! lowercase puts keys in lower case and a prefix before them. See ../README.md.
#![no_std]
use edgecache::*;

struct Lowercase {
    prefix: Text<512>,
}

impl Plugin for Lowercase {
    const NEW: Self = Lowercase { prefix: Text::NEW };

    fn init(&mut self, config: &mut Config) -> Result<(), Error> {
        config.object("prefix", |config, _| config.string_into(&mut self.prefix))
    }
}

impl Before for Lowercase {
    fn before(&mut self, call: &mut Call) -> Action {
        let (key, mut out) = call.parts();
        out.push(&self.prefix);
        let changed = lower(key, out.extend(key.len()));
        if changed || !self.prefix.is_empty() {
            return out.key();
        }
        Action::NONE
    }
}

/// Writes from in lower case to to, which is as long, and says whether that is something else.
fn lower(from: &[u8], to: &mut [u8]) -> bool {
    let mut changed = 0;
    for (from, to) in from.chunks_exact(8).zip(to.chunks_exact_mut(8)) {
        changed |= lower_word(from, to);
    }
    match (from.rchunks_exact(8).next(), to.rchunks_exact_mut(8).next()) {
        (Some(from), Some(to)) => changed |= lower_word(from, to), // the last eight, some of them again
        _ => {
            for (from, to) in from.iter().zip(to) {
                *to = from.to_ascii_lowercase();
                changed |= (from ^ *to) as u64;
            }
        }
    }
    changed != 0
}

/// Does so with eight bytes, and returns the bits that this changes. A byte is a capital if it has no high bit, and adding
/// what is missing sets the high bit from 'A' on but not yet from 'Z'+1 on.
fn lower_word(from: &[u8], to: &mut [u8]) -> u64 {
    const ONES: u64 = 0x0101010101010101;
    const HIGH: u64 = 0x80 * ONES;
    let mut word = [0; 8];
    word.copy_from_slice(from);
    let x = u64::from_le_bytes(word);
    let low = x & !HIGH;
    let capital = (low + (0x80 - b'A' as u64) * ONES) & !(low + (0x80 - b'Z' as u64 - 1) * ONES) & !x & HIGH;
    to.copy_from_slice(&(x | capital >> 2).to_le_bytes());
    capital >> 2
}

plugin!(Lowercase: before);
