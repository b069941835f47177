//! compress stores values compressed and restores what is read. See ../README.md.
#![no_std]
use edgecache::*;

mod lz4;

const MAGIC: &[u8] = &[0xec, 0x5a, 0xf1];
const HEADER: usize = 12; // magic, method, u32 length, u32 check
const STORED: u8 = 0;
const LZ4: u8 = 1;

const MAX_VALUE: usize = 1 << 20;
const SMALL_VALUE: usize = 1 << 16; // values up to this need less memory

struct Compress {
    min_bytes: usize,
    value: Memory,
    form: Memory,
    table: lz4::Table,
}

impl Plugin for Compress {
    const NEW: Self = Compress { min_bytes: 0, value: Memory(None), form: Memory(None), table: lz4::EMPTY };

    fn init(&mut self, config: &mut Config) -> Result<(), Error> {
        self.min_bytes = 256;
        config.object("min_bytes", |config, _| {
            self.min_bytes = config.number(64, MAX_VALUE as u64)? as usize;
            Ok(())
        })
    }
}

impl Before for Compress {
    fn before(&mut self, call: &mut Call) -> Action {
        match call.op {
            OP_SET | OP_SET_MANY | OP_ADD | OP_REPLACE | OP_COMPARE_AND_SWAP => self.write(call),
            OP_APPEND | OP_PREPEND => call.deny(b"append and prepend would damage a compressed value"),
            _ => Action::NONE,
        }
    }
}

impl After for Compress {
    fn after(&mut self, call: &mut Call, _: Outcome) -> Action {
        if let Some(header) = Header::of(call) {
            if self.restore(call, &header).is_none() {
                log(LOG_WARN, "a compressed value is damaged, or by a method that is not known");
            }
        }
        Action::NONE
    }
}

impl Compress {
    fn write(&mut self, call: &mut Call) -> Action {
        let len = call.value_len;
        let looks_compressed = Header::of(call).is_some();
        if len > MAX_VALUE && looks_compressed {
            return call.deny(b"the value begins as a compressed one, and has more than 1048576 bytes");
        }
        if len > MAX_VALUE || len < self.min_bytes && !looks_compressed {
            return Action::NONE;
        }
        let value = self.value.take(len);
        value_read(0, value);
        let form = self.form.take(HEADER + len);
        let (header, body) = form.split_at_mut(HEADER);
        let shorter = len.saturating_sub(HEADER + 1); // the form is, with a body up to this
        let (method, n) = match lz4::compress(value, &mut body[..shorter], &mut self.table) {
            Some(n) => (LZ4, n),
            None if looks_compressed => {
                copy(body, value);
                (STORED, len)
            }
            None => return Action::NONE,
        };
        Header { method, len, check: check(value) }.put(header);
        value_write(&form[..HEADER + n]);
        Action::NONE
    }

    fn restore(&mut self, call: &mut Call, header: &Header) -> Option<()> {
        let n = call.value_len - HEADER;
        if header.len > MAX_VALUE || n > MAX_VALUE {
            return None;
        }
        let body = self.form.take(n);
        value_read(HEADER, body);
        let value = match header.method {
            STORED if n == header.len => body,
            LZ4 => {
                let value = self.value.take(header.len);
                lz4::restore(body, value)?;
                value
            }
            _ => return None,
        };
        if check(value) != header.check {
            return None;
        }
        value_write(value);
        Some(())
    }
}

/// What stands before a compressed value.
struct Header {
    method: u8,
    len: usize,
    check: u32,
}

impl Header {
    /// Reads the header of the call's value, if that has one.
    fn of(call: &Call) -> Option<Header> {
        let mut bytes = [0; HEADER];
        if call.value_len < HEADER || value_read(0, &mut bytes) != HEADER || !bytes.starts_with(MAGIC) {
            return None;
        }
        let [_, _, _, method, a, b, c, d, e, f, g, h] = bytes;
        Some(Header { method, len: u32::from_le_bytes([a, b, c, d]) as usize, check: u32::from_le_bytes([e, f, g, h]) })
    }

    fn put(&self, to: &mut [u8]) {
        to[..3].copy_from_slice(MAGIC);
        to[3] = self.method;
        to[4..8].copy_from_slice(&(self.len as u32).to_le_bytes());
        to[8..HEADER].copy_from_slice(&self.check.to_le_bytes());
    }
}

fn check(value: &[u8]) -> u32 {
    hash64(value) as u32
}

/// Memory that grows once or twice and is kept.
struct Memory(Option<&'static mut [u8]>);

impl Memory {
    /// Returns n bytes, up to HEADER + MAX_VALUE, whatever they hold.
    fn take(&mut self, n: usize) -> &mut [u8] {
        if self.0.as_ref().map_or(true, |memory| memory.len() < n) {
            self.0 = grow(if n <= SMALL_VALUE { SMALL_VALUE } else { HEADER + MAX_VALUE });
        }
        let memory = self.0.as_mut().expect("memory for a value: raise memory_pages in the manifest");
        &mut memory[..n]
    }
}

plugin!(Compress: before, after);
