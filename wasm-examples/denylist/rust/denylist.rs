//! denylist refuses commands on keys that match a pattern. See ../README.md.
#![no_std]
use edgecache::*;

#[path = "../../internal/rust/glob.rs"]
mod glob;
use glob::{Arena, Captures, Glob, Span, MAX_STARS};

const MAX_PATTERNS: usize = 64;
const MAX_PATTERN: usize = 256;

struct DenyList {
    arena: Arena<{ 2 * MAX_PATTERNS * MAX_PATTERN }, { MAX_PATTERNS * (MAX_STARS + 1) }>,
    patterns: [Pattern; MAX_PATTERNS],
    count: usize,
    stats: [[u64; 2]; 1],
}

#[derive(Clone, Copy)]
struct Pattern {
    glob: Glob,
    text: Span, // as it stands in the configuration
    allow: bool,
}

impl Plugin for DenyList {
    const NEW: Self = DenyList {
        arena: Arena::NEW,
        patterns: [Pattern { glob: Glob::EMPTY, text: Span::EMPTY, allow: false }; MAX_PATTERNS],
        count: 0,
        stats: [[0; 2]],
    };

    fn init(&mut self, config: &mut Config) -> Result<(), Error> {
        self.stats[0][0] = label(0, NAMESPACE_ALL);
        config.object("deny or allow", |config, name| config.list(|config| self.add(config, name == "allow")))
    }
}

impl Before for DenyList {
    fn before(&mut self, call: &mut Call) -> Action {
        let (key, mut out) = call.parts();
        let text = match self.find(key, false) {
            Some(pattern) if self.find(key, true).is_none() => pattern.text,
            _ => return Action::NONE,
        };
        self.stats[0][1] += 1;
        out.push(b"key matches \"");
        out.push(self.arena.get(text));
        out.push(b"\"");
        out.deny()
    }
}

impl DenyList {
    fn add(&mut self, config: &mut Config, allow: bool) -> Result<(), Error> {
        let at = config.place();
        if self.count == MAX_PATTERNS {
            return Err(config.fail(at, "more than 64 patterns"));
        }
        let pattern = config.string()?;
        if pattern.len() > MAX_PATTERN {
            return Err(config.fail(at, "pattern of more than 256 bytes"));
        }
        if core::str::from_utf8(pattern).is_err() {
            return Err(config.fail(at, "pattern that is not UTF-8"));
        }
        let (text, copy) = (self.arena.push(pattern), self.arena.push(pattern));
        let glob = self.arena.glob(config, at, copy)?;
        self.patterns[self.count] = Pattern { glob, text, allow };
        self.count += 1;
        Ok(())
    }

    /// Returns the first pattern that the key matches, of those that allow or of the others.
    fn find(&self, key: &[u8], allow: bool) -> Option<&Pattern> {
        let patterns = &self.patterns[..self.count];
        patterns.iter().find(|p| p.allow == allow && self.arena.matches(p.glob, key, &mut Captures::default()))
    }
}

impl Stats<2> for DenyList {
    fn stats(&mut self) -> &[[u64; 2]] {
        &self.stats
    }
}

plugin!(DenyList: before, stats);
