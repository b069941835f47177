//! The configuration: a list of rules.
use crate::glob::{Arena, Glob, Span, MAX_STARS};
use edgecache::*;

pub const MAX_KEY: usize = 1 << 16; // bytes of a key, also between two rules
pub const HASH_TAIL: usize = 17; // what stands behind the head of a hashed key: # and 16 digits

const MAX_CONFIG: usize = 8192;
const MAX_RULES: usize = 64;
const MAX_PARTS: usize = MAX_CONFIG * (MAX_STARS + 1) / (MAX_STARS + 3) + 1; // "*********", takes 12 bytes and makes 10 parts
const MAX_NAMES: usize = MAX_CONFIG / 3; // "", takes 3 bytes
const MAX_PIECES: usize = MAX_CONFIG; // $1 takes 2 bytes, and so does a$

/// A part of `names` or `pieces`.
#[derive(Clone, Copy)]
pub struct List {
    first: u16,
    len: u16,
}

#[derive(Clone, Copy)]
pub enum What {
    Nothing,
    Lowercase,
    Prefix(Span),
    StripQuery(List),
    Replace(Glob, List),
    Hash(usize),
}

#[derive(Clone, Copy)]
pub struct Rule {
    pub if_prefix: Span,
    pub what: What,
}

/// A piece of a replacement is text, or what a star took.
#[derive(Clone, Copy)]
pub enum Piece {
    Text(Span),
    Star(u8),
}

pub struct Rules {
    pub arena: Arena<MAX_CONFIG, MAX_PARTS>,
    rules: [Rule; MAX_RULES],
    names: [Glob; MAX_NAMES],
    pieces: [Piece; MAX_PIECES],
    rule_count: usize,
    name_count: usize,
    piece_count: usize,
}

impl Rules {
    pub const NEW: Self = Rules {
        arena: Arena::NEW,
        rules: [Rule { if_prefix: Span::EMPTY, what: What::Nothing }; MAX_RULES],
        names: [Glob::EMPTY; MAX_NAMES],
        pieces: [Piece::Text(Span::EMPTY); MAX_PIECES],
        rule_count: 0,
        name_count: 0,
        piece_count: 0,
    };

    pub fn all(&self) -> &[Rule] {
        &self.rules[..self.rule_count]
    }

    pub fn names(&self, list: List) -> &[Glob] {
        &self.names[list.first as usize..][..list.len as usize]
    }

    pub fn pieces(&self, list: List) -> &[Piece] {
        &self.pieces[list.first as usize..][..list.len as usize]
    }

    pub fn parse(&mut self, config: &mut Config) -> Result<(), Error> {
        if config.text.len() > MAX_CONFIG {
            return Err(config.fail(MAX_CONFIG, "configuration of more than 8192 bytes"));
        }
        config.object("rules", |config, _| {
            config.list(|config| {
                let start = config.place();
                if self.rule_count == MAX_RULES {
                    return Err(config.fail(start, "more than 64 rules"));
                }
                self.rules[self.rule_count] = self.rule(config, start)?;
                self.rule_count += 1;
                Ok(())
            })
        })
    }

    fn rule(&mut self, config: &mut Config, start: usize) -> Result<Rule, Error> {
        let mut rule = Rule { if_prefix: Span::EMPTY, what: What::Nothing };
        let known = "if_prefix, lowercase, prefix, strip_query, replace or hash_longer_than";
        config.fields(known, |config, name| {
            if name == "if_prefix" {
                rule.if_prefix = self.arena.push(config.string()?);
                return Ok(());
            }
            if !matches!(rule.what, What::Nothing) {
                let at = config.field_place();
                return Err(config.fail(at, "a second action in a rule: make it a rule of its own"));
            }
            rule.what = self.what(config, name)?;
            Ok(())
        })?;
        match rule.what {
            What::Nothing => Err(config.fail(start, "rule without an action")),
            _ => Ok(rule),
        }
    }

    fn what(&mut self, config: &mut Config, name: &str) -> Result<What, Error> {
        Ok(match name {
            "lowercase" => {
                config.word("true")?;
                What::Lowercase
            }
            "prefix" => What::Prefix(self.arena.push(config.string()?)),
            "strip_query" => What::StripQuery(self.read_names(config)?),
            "replace" => self.replace(config)?,
            _ => What::Hash(config.number(HASH_TAIL as u64, MAX_KEY as u64)? as usize),
        })
    }

    fn read_names(&mut self, config: &mut Config) -> Result<List, Error> {
        let first = self.name_count;
        config.list(|config| {
            let at = config.place();
            let name = self.arena.push(config.string()?);
            self.names[self.name_count] = self.arena.glob(config, at, name)?;
            self.name_count += 1;
            Ok(())
        })?;
        Ok(List { first: first as u16, len: (self.name_count - first) as u16 })
    }

    fn replace(&mut self, config: &mut Config) -> Result<What, Error> {
        let start = config.place();
        let (mut pattern, mut with) = (None, None);
        config.fields("pattern and with", |config, name| {
            let at = config.place();
            let text = Some((at, self.arena.push(config.string()?)));
            match name {
                "pattern" => pattern = text,
                _ => with = text,
            }
            Ok(())
        })?;
        match (pattern, with) {
            (Some((pattern_at, pattern)), Some((with_at, with))) => {
                let glob = self.arena.glob(config, pattern_at, pattern)?;
                Ok(What::Replace(glob, self.replacement(config, with_at, with, glob.stars())?))
            }
            _ => Err(config.fail(start, "replace needs pattern and with")),
        }
    }

    /// Takes with apart: $1 to $9 are what the pattern's stars took, $$ is a dollar. at is where with stands in the
    /// configuration.
    fn replacement(&mut self, config: &mut Config, at: usize, with: Span, stars: usize) -> Result<List, Error> {
        let first = self.piece_count;
        let mut rest = with;
        while let Some(dollar) = self.arena.get(rest).iter().position(|c| *c == b'$') {
            let (text, reference) = rest.split(dollar);
            self.add_piece(Piece::Text(text));
            let reference = reference.split(self.arena.get(reference).len().min(2));
            match self.arena.get(reference.0) {
                b"$$" => self.add_piece(Piece::Text(reference.0.split(1).0)),
                [_, c @ b'1'..=b'9'] if (c - b'0') as usize <= stars => self.add_piece(Piece::Star(c - b'1')),
                word @ [_, b'1'..=b'9'] => return Err(config.fail_quoted(at, "no star in the pattern for ", word, "")),
                _ => return Err(config.fail(at, "$ before neither 1 to 9 nor $ in a replacement")),
            }
            rest = reference.1;
        }
        self.add_piece(Piece::Text(rest));
        Ok(List { first: first as u16, len: (self.piece_count - first) as u16 })
    }

    fn add_piece(&mut self, piece: Piece) {
        if !matches!(piece, Piece::Text(text) if self.arena.get(text).is_empty()) {
            self.pieces[self.piece_count] = piece;
            self.piece_count += 1;
        }
    }
}
