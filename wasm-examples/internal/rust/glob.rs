//! Patterns in which * stands for any run of bytes, and the memory that they and other texts of a configuration live in.
#![allow(dead_code)] // a guest uses a part of it
use core::ops::Range;
use edgecache::*;

pub const MAX_STARS: usize = 9;

/// A text in an Arena.
#[derive(Clone, Copy)]
pub struct Span {
    at: u16,
    len: u16,
}

impl Span {
    pub const EMPTY: Span = Span { at: 0, len: 0 };

    /// The first n bytes, and the others.
    pub fn split(self, n: usize) -> (Span, Span) {
        let n = n as u16;
        (Span { len: n, ..self }, Span { at: self.at + n, len: self.len - n })
    }

    fn range(self) -> Range<usize> {
        self.at as usize..self.at as usize + self.len as usize
    }
}

/// A pattern in an Arena: one part more than there are stars between them.
#[derive(Clone, Copy)]
pub struct Glob {
    first: u16,
    parts: u8,
}

impl Glob {
    pub const EMPTY: Glob = Glob { first: 0, parts: 0 };

    pub fn stars(self) -> usize {
        self.parts as usize - 1
    }
}

/// From where to where the stars of a glob took what they did.
pub type Captures = [(usize, usize); MAX_STARS];

/// Texts of BYTES and parts of patterns of PARTS together, up to 65,535 of each.
pub struct Arena<const BYTES: usize, const PARTS: usize> {
    bytes: [u8; BYTES],
    parts: [Span; PARTS],
    used: usize,
    part_count: usize,
}

impl<const BYTES: usize, const PARTS: usize> Arena<BYTES, PARTS> {
    pub const NEW: Self = Arena { bytes: [0; BYTES], parts: [Span::EMPTY; PARTS], used: 0, part_count: 0 };

    pub fn get(&self, span: Span) -> &[u8] {
        &self.bytes[span.range()]
    }

    /// Keeps a text, which must fit.
    pub fn push(&mut self, text: &[u8]) -> Span {
        let at = self.used;
        self.used += text.len();
        self.bytes[at..self.used].copy_from_slice(text);
        Span { at: at as u16, len: text.len() as u16 }
    }

    /// Takes a pattern apart, in place: a backslash takes a star's or a backslash's meaning away. at is where the pattern
    /// stands in the configuration.
    pub fn glob(&mut self, config: &mut Config, at: usize, pattern: Span) -> Result<Glob, Error> {
        let first = self.part_count;
        let Range { start: mut i, end } = pattern.range();
        let (mut start, mut out) = (i, i);
        while i < end {
            let mut c = self.bytes[i];
            i += 1;
            if c == b'*' {
                if self.part_count - first == MAX_STARS {
                    return Err(config.fail(at, "more than 9 stars in a pattern"));
                }
                self.push_part(start, out);
                start = out;
                continue;
            }
            if c == b'\\' {
                if i == end || !matches!(self.bytes[i], b'*' | b'\\') {
                    return Err(config.fail(at, "backslash before neither * nor \\ in a pattern"));
                }
                c = self.bytes[i];
                i += 1;
            }
            self.bytes[out] = c;
            out += 1;
        }
        self.push_part(start, out);
        Ok(Glob { first: first as u16, parts: (self.part_count - first) as u8 })
    }

    fn push_part(&mut self, start: usize, end: usize) {
        self.parts[self.part_count] = Span { at: start as u16, len: (end - start) as u16 };
        self.part_count += 1;
    }

    /// Says whether a glob matches all of s. Every star takes as few bytes as it can, the first star first; what they took is
    /// put into captures.
    pub fn matches(&self, glob: Glob, s: &[u8], captures: &mut Captures) -> bool {
        let parts = &self.parts[glob.first as usize..][..glob.parts as usize];
        let (first, middle, last) = match parts {
            [] => return false,
            [all] => return s == self.get(*all),
            [first, middle @ .., last] => (self.get(*first), middle, self.get(*last)),
        };
        if s.len() < first.len() + last.len() || !s.starts_with(first) || !s.ends_with(last) {
            return false;
        }
        let (mut at, end) = (first.len(), s.len() - last.len());
        for (part, capture) in middle.iter().zip(captures.iter_mut()) {
            let part = self.get(*part);
            match find(&s[at..end], part) {
                Some(n) => *capture = (at, at + n),
                None => return false,
            }
            at = capture.1 + part.len();
        }
        captures[middle.len()] = (at, end);
        true
    }
}

/// Returns where in s what first begins.
fn find(s: &[u8], what: &[u8]) -> Option<usize> {
    if what.is_empty() {
        return Some(0);
    }
    s.windows(what.len()).position(|w| w == what)
}
