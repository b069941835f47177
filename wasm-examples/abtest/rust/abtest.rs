//! abtest keeps the variants of an experiment apart that clients have in a cookie. See ../README.md.
#![no_std]
use edgecache::{http::*, *};

const MAX_VARIANTS: usize = 16;
const COOKIE: usize = 0; // the manifest's headers

struct AbTest {
    cookie: Text<64>,
    header: Text<64>,
    path: Text<256>,
    variants: [Text<32>; MAX_VARIANTS],
    count: usize,
}

impl Plugin for AbTest {
    const NEW: Self =
        AbTest { cookie: Text::NEW, header: Text::NEW, path: Text::NEW, variants: [Text::NEW; MAX_VARIANTS], count: 0 };

    fn init(&mut self, config: &mut Config) -> Result<(), Error> {
        self.cookie.set(b"ab");
        self.header.set(b"x-variant");
        self.path.set(b"/");
        config.object("cookie, header, path and variants", |config, field| match field {
            "cookie" => config.string_into(&mut self.cookie),
            "header" => config.string_into(&mut self.header),
            "path" => config.string_into(&mut self.path),
            _ => self.read_variants(config),
        })?;
        let variants = self.variants.get(..self.count).unwrap_or(&[]);
        if !is_word(&self.cookie) || !is_word(&self.header) || !variants.iter().all(|v| is_word(v)) {
            return Err("cookie, header and variants: a-z A-Z 0-9 - and _ are possible".into());
        }
        if self.count == 0 {
            self.variants[0].set(b"a");
            self.variants[1].set(b"b");
            self.count = 2;
        }
        Ok(())
    }
}

impl AbTest {
    fn read_variants(&mut self, config: &mut Config) -> Result<(), Error> {
        config.list(|config| {
            let at = config.place();
            match self.variants.get_mut(self.count) {
                Some(variant) => config.string_into(variant)?,
                None => return Err(config.fail(at, "more than 16 variants")),
            }
            self.count += 1;
            Ok(())
        })
    }

    /// The variant that the client's cookie names, and true; or the one that its address falls to, where it has no cookie or
    /// one that names no variant: what clients write makes no keys.
    fn variant(&self, frame: &Frame) -> (&[u8], bool) {
        let variants = self.variants.get(..self.count).unwrap_or(&[]);
        for line in frame.headers(COOKIE) {
            if let Some(value) = cookie(line, &self.cookie) {
                if let Some(variant) = variants.iter().find(|v| &***v == value) {
                    return (variant, true);
                }
            }
        }
        let lot = hash64(frame.client()) % variants.len().max(1) as u64;
        (variants.get(lot as usize).map_or(&[], |v| v), false)
    }
}

impl Http for AbTest {
    fn call(&mut self, frame: &Frame, verdict: &mut Verdict) {
        if !frame.target().starts_with(&self.path) {
            return;
        }
        let (variant, has) = self.variant(frame);
        match frame.phase() {
            HTTP_PHASE_REQUEST => verdict.set(&self.header, variant),
            HTTP_PHASE_KEY => {
                let mut extra = Text::<128>::NEW;
                extra.push(&self.cookie);
                extra.push(b"=");
                extra.push(variant);
                verdict.extra(&extra);
                verdict.vary(b"cookie", &extra);
            }
            HTTP_PHASE_DELIVER if !has => {
                let mut cookie = Text::<192>::NEW;
                cookie.push(&self.cookie);
                cookie.push(b"=");
                cookie.push(variant);
                cookie.push(b"; Path=/; Max-Age=2592000; SameSite=Lax");
                verdict.add(b"set-cookie", &cookie);
            }
            _ => {}
        }
    }
}

/// Whether this can be a cookie's name and value, and a header's name.
fn is_word(s: &[u8]) -> bool {
    !s.is_empty() && s.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
}

/// The value of a cookie in a line of the field Cookie (RFC 6265 4.2.1).
fn cookie<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    line.split(|c| *c == b';').find_map(|pair| {
        let start = pair.iter().position(|c| *c != b' ')?;
        pair.get(start..)?.strip_prefix(name)?.strip_prefix(b"=")
    })
}

http!(AbTest);
