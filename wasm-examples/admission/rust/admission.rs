//! admission lets writes into the cache that are small and whose keys are asked for. See ../README.md.
#![no_std]
use edgecache::*;

const ROWS: usize = 4;
const COUNTERS: usize = 1 << 14; // of a row
const AGE: u32 = 10 * COUNTERS as u32; // reads after which all counters are halved

struct Admission {
    max_bytes: u64,
    min_count: u64,
    sketch: Sketch,
    stats: [[u64; 4]; 1],
}

// The columns of the statistics.
const ADMITTED: usize = 1;
const TOO_LARGE: usize = 2;
const TOO_RARE: usize = 3;

impl Plugin for Admission {
    const NEW: Self = Admission {
        max_bytes: 0,
        min_count: 0,
        sketch: Sketch { counters: [[0; COUNTERS]; ROWS], reads: 0 },
        stats: [[0; 4]],
    };

    fn init(&mut self, config: &mut Config) -> Result<(), Error> {
        (self.max_bytes, self.min_count) = (65536, 2);
        self.stats[0][0] = label(0, NAMESPACE_ALL);
        config.object("max_bytes or min_count", |config, name| {
            match name {
                "max_bytes" => self.max_bytes = config.number(0, u32::MAX as u64)?,
                _ => self.min_count = config.number(0, u8::MAX as u64)?,
            }
            Ok(())
        })
    }
}

impl Before for Admission {
    fn before(&mut self, call: &mut Call) -> Action {
        let verdict = match call.op {
            OP_GET | OP_GET_MANY => {
                self.sketch.read(hash64(call.key_and_namespace()));
                return Action::NONE;
            }
            OP_SET | OP_SET_MANY | OP_ADD | OP_REPLACE => self.judge(call),
            _ => return Action::NONE,
        };
        self.stats[0][verdict] += 1;
        if verdict == ADMITTED {
            return Action::NONE;
        }
        Action::MISS
    }
}

impl Admission {
    /// Returns the column that counts a write.
    fn judge(&self, call: &Call) -> usize {
        if call.value_len as u64 > self.max_bytes {
            return TOO_LARGE;
        }
        if (self.sketch.estimate(hash64(call.key_and_namespace())) as u64) < self.min_count {
            return TOO_RARE;
        }
        ADMITTED
    }
}

impl Stats<4> for Admission {
    fn stats(&mut self) -> &[[u64; 4]] {
        &self.stats
    }
}

/// A count-min sketch: Cormode and Muthukrishnan, "An improved data stream summary", 2005; with the conservative update of
/// Estan and Varghese, "New directions in traffic measurement and accounting", 2002.
struct Sketch {
    counters: [[u8; COUNTERS]; ROWS],
    reads: u32, // since all counters were halved
}

impl Sketch {
    fn estimate(&self, hash: u64) -> u8 {
        let counts = self.counters.iter().enumerate().map(|(row, counters)| counters[place(hash, row)]);
        counts.min().unwrap_or(0)
    }

    fn read(&mut self, hash: u64) {
        let least = self.estimate(hash);
        for (row, counters) in self.counters.iter_mut().enumerate() {
            let counter = &mut counters[place(hash, row)];
            if *counter == least {
                *counter = least.saturating_add(1);
            }
        }
        self.reads += 1;
        if self.reads == AGE {
            self.reads = 0;
            self.counters.iter_mut().flatten().for_each(|counter| *counter /= 2);
        }
    }
}

/// Returns which counter of a row a hash falls on.
fn place(hash: u64, row: usize) -> usize {
    (hash >> (16 * row)) as usize % COUNTERS
}

plugin!(Admission: before, stats);
