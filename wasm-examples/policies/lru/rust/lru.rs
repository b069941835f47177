//! lru throws out what was not asked for the longest. See ../README.md.
#![no_std]
use edgecache::policy::*;

struct Lru {
    queue: Lists,
}

impl Policy for Lru {
    fn init(spec: &mut Spec) -> Result<Self, Error> {
        Ok(Lru { queue: spec.lists(1)? })
    }

    fn hit(&mut self, id: u32) {
        self.queue.touch(0, id)
    }

    fn insert(&mut self, id: u32, _size: u32) {
        self.queue.push(0, id)
    }

    fn evict(&mut self) -> u32 {
        self.queue.pop(0)
    }

    fn remove(&mut self, id: u32) {
        self.queue.unlink(id)
    }
}

policy!(Lru);
