//! keyrewrite changes keys by a list of rules, before the cache looks for them. See ../README.md.
#![no_std]
use core::ops::Range;
use edgecache::*;

#[path = "../../internal/rust/glob.rs"]
mod glob;
mod rules;

use glob::{Captures, Glob};
use rules::{List, Piece, Rule, Rules, What, HASH_TAIL, MAX_KEY};

struct KeyRewrite {
    rules: Rules,
}

impl Plugin for KeyRewrite {
    const NEW: Self = KeyRewrite { rules: Rules::NEW };

    fn init(&mut self, config: &mut Config) -> Result<(), Error> {
        self.rules.parse(config)
    }
}

impl Before for KeyRewrite {
    fn before(&mut self, call: &mut Call) -> Action {
        let rules = self.rules.all();
        if rules.is_empty() {
            return Action::NONE;
        }
        let (key, out) = call.parts();
        let mut draft = Draft { len: key.len(), key, out, place: None, changed: false };
        if draft.len > MAX_KEY {
            return call.deny(b"the key is longer than 65536 bytes");
        }
        for (i, rule) in rules.iter().enumerate() {
            if draft.get().starts_with(self.rules.arena.get(rule.if_prefix)) && self.apply(rule, &mut draft).is_none() {
                return too_long(call, i + 1);
            }
        }
        let Draft { len, changed, .. } = draft;
        match draft.place {
            Some(place) => draft.out.key_part(place),
            None if changed => call.rewrite(0..len),
            None => Action::NONE,
        }
    }
}

/// Refuses a command because a rule makes its key longer than MAX_KEY.
fn too_long(call: &mut Call, rule: usize) -> Action {
    let (_, mut out) = call.parts();
    out.push(b"rule ");
    out.push_number(rule as u64);
    out.push(b" makes the key longer than 65536 bytes");
    out.deny()
}

/// A key being rewritten. It stands in the call buffer, and once a rule has built a new one among the bytes for the action.
struct Draft<'a> {
    key: &'a mut [u8],
    out: Out<'a>,
    place: Option<Range<usize>>, // in out
    len: usize,
    changed: bool,
}

impl Draft<'_> {
    fn get(&mut self) -> &mut [u8] {
        match &self.place {
            Some(place) => &mut self.out.bytes()[place.clone()],
            None => &mut self.key[..self.len],
        }
    }

    /// Cuts the key to its first n bytes, which have been changed in place.
    fn cut(&mut self, n: usize) {
        (self.len, self.changed) = (n, true);
        if let Some(place) = &mut self.place {
            place.end = place.start + n;
        }
    }

    /// Makes room for a new key of n bytes, before or behind the old one, and returns both, or None if that is too long.
    fn build(&mut self, n: usize) -> Option<(&[u8], &mut [u8])> {
        let at = match &self.place {
            Some(old) if n > old.start => old.end,
            _ => 0,
        };
        let missing = (at + n).saturating_sub(self.out.bytes().len());
        if n > MAX_KEY || self.out.try_extend(missing).is_none() {
            return None;
        }
        let (len, bytes) = (self.len, self.out.bytes());
        (self.len, self.changed) = (n, true);
        Some(match self.place.replace(at..at + n) {
            None => (&self.key[..len], &mut bytes[..n]),
            Some(old) if n <= old.start => {
                let (new, rest) = bytes.split_at_mut(old.start);
                (&rest[..len], &mut new[..n])
            }
            Some(old) => {
                let (rest, new) = bytes.split_at_mut(old.end);
                (&rest[old], &mut new[..n])
            }
        })
    }
}

impl KeyRewrite {
    /// Changes the key as a rule says; None is a key that would be too long.
    fn apply(&self, rule: &Rule, draft: &mut Draft) -> Option<()> {
        match rule.what {
            What::Nothing => {}
            What::Lowercase => draft.changed |= lowercase(draft.get()),
            What::Prefix(prefix) => add_prefix(draft, self.rules.arena.get(prefix))?,
            What::StripQuery(names) => self.strip_query(draft, names),
            What::Replace(pattern, with) => self.replace(draft, pattern, with)?,
            What::Hash(longest) => hash(draft, longest),
        }
        Some(())
    }

    /// Leaves out the parameters that are named, and empty ones. The query goes from the first question mark to the first #
    /// behind it.
    fn strip_query(&self, draft: &mut Draft, names: List) {
        let key = draft.get();
        let query = find_byte(key, 0, b'?');
        if query == key.len() {
            return;
        }
        let end = find_byte(key, query, b'#');
        let (mut n, mut at) = (query, query + 1);
        while at <= end {
            let next = find_byte(&key[..end], at, b'&');
            if next > at && !self.is_named(names, &key[at..next]) {
                key[n] = if n == query { b'?' } else { b'&' };
                key.copy_within(at..next, n + 1);
                n += 1 + next - at;
            }
            at = next + 1;
        }
        if n == end {
            return; // which is all there was
        }
        let len = key.len();
        key.copy_within(end.., n);
        draft.cut(n + len - end);
    }

    fn is_named(&self, names: List, parameter: &[u8]) -> bool {
        let name = &parameter[..find_byte(parameter, 0, b'=')];
        let mut globs = self.rules.names(names).iter();
        globs.any(|glob| self.rules.arena.matches(*glob, name, &mut Captures::default()))
    }

    fn replace(&self, draft: &mut Draft, pattern: Glob, with: List) -> Option<()> {
        let mut captures = Captures::default();
        if !self.rules.arena.matches(pattern, draft.get(), &mut captures) {
            return Some(());
        }
        let (arena, pieces) = (&self.rules.arena, self.rules.pieces(with));
        let size = |piece: &Piece| match *piece {
            Piece::Text(text) => arena.get(text).len(),
            Piece::Star(i) => captures[i as usize].1 - captures[i as usize].0,
        };
        let (old, mut new) = draft.build(pieces.iter().map(size).sum())?;
        for piece in pieces {
            let from = match *piece {
                Piece::Text(text) => arena.get(text),
                Piece::Star(i) => &old[captures[i as usize].0..captures[i as usize].1],
            };
            let (to, rest) = new.split_at_mut(from.len());
            copy(to, from);
            new = rest;
        }
        Some(())
    }
}

/// Makes ASCII capitals small, and says whether there were any.
fn lowercase(key: &mut [u8]) -> bool {
    let mut changed = false;
    for c in key {
        let small = c.to_ascii_lowercase();
        changed |= small != *c;
        *c = small;
    }
    changed
}

fn add_prefix(draft: &mut Draft, prefix: &[u8]) -> Option<()> {
    let len = draft.len;
    let (old, new) = draft.build(prefix.len() + len)?;
    let (head, tail) = new.split_at_mut(prefix.len());
    copy(head, prefix);
    copy(tail, old);
    Some(())
}

/// Cuts a key to longest bytes, of which the last 17 are # and the hash of all of it.
fn hash(draft: &mut Draft, longest: usize) {
    let key = draft.get();
    if key.len() <= longest {
        return;
    }
    let hash = hash64(key);
    let tail = &mut key[longest - HASH_TAIL..longest];
    tail[0] = b'#';
    for (i, digit) in tail[1..].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(hash >> (60 - 4 * i)) as usize % 16];
    }
    draft.cut(longest);
}

/// Returns where in s, from the given place on, c first stands, or the end of s.
fn find_byte(s: &[u8], from: usize, c: u8) -> usize {
    s[from..].iter().position(|b| *b == c).map_or(s.len(), |i| from + i)
}

plugin!(KeyRewrite: before);
