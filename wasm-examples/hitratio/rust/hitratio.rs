//! hitratio counts reads and hits, by operation and namespace. See ../README.md.
#![no_std]
use edgecache::*;

const OPS: usize = 2; // get and get_many, whose numbers follow each other
const NAMESPACES: usize = 1024;
const OTHER: usize = NAMESPACES - 1; // counts for all namespaces from this number on

#[derive(Clone, Copy)]
struct Count {
    total: u64,
    hits: u64,
}

struct HitRatio {
    counts: [[Count; OPS]; NAMESPACES],
    rows: [[u64; 3]; NAMESPACES * OPS],
}

impl Plugin for HitRatio {
    const NEW: Self =
        HitRatio { counts: [[Count { total: 0, hits: 0 }; OPS]; NAMESPACES], rows: [[0; 3]; NAMESPACES * OPS] };
}

impl Observe for HitRatio {
    fn observe(&mut self, events: &[Event]) {
        for event in events {
            let op = event.op().wrapping_sub(OP_GET) as usize;
            if op < OPS {
                let count = &mut self.counts[OTHER.min(event.namespace_id as usize)][op];
                count.total += 1;
                count.hits += (event.outcome() == OUTCOME_HIT) as u64;
            }
        }
    }
}

impl Stats<3> for HitRatio {
    /// Reports the namespaces and operations that were read, in their order; the host adds them up.
    fn stats(&mut self) -> &[[u64; 3]] {
        let counts = self.counts.iter().flatten().enumerate().filter(|(_, count)| count.total > 0);
        let mut n = 0;
        for ((place, count), row) in counts.zip(&mut self.rows) {
            let namespace = match place / OPS {
                OTHER => NAMESPACE_OTHER,
                namespace => namespace as u32,
            };
            *row = [label(OP_GET + (place % OPS) as u32, namespace), count.total, count.hits];
            n += 1;
        }
        self.rows.get(..n).unwrap_or(&[])
    }
}

plugin!(HitRatio: observe, stats);
