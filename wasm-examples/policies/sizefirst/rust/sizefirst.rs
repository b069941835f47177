//! sizefirst throws out the largest of the objects that were not asked for the longest. See ../README.md.
#![no_std]
use edgecache::policy::*;

struct SizeFirst {
    queue: Lists,
    window: u64, // how many of the oldest it chooses from
}

impl Policy for SizeFirst {
    fn init(spec: &mut Spec) -> Result<Self, Error> {
        Ok(SizeFirst { window: spec.number("window", 1, 1000, 16)?, queue: spec.lists(1)? })
    }

    fn hit(&mut self, id: u32) {
        self.queue.touch(0, id)
    }

    fn insert(&mut self, id: u32, _size: u32) {
        self.queue.push(0, id)
    }

    fn evict(&mut self) -> u32 {
        let mut largest = self.queue.oldest(0);
        let mut id = self.queue.newer(largest);
        for _ in 1..self.window {
            if id == self.queue.root(0) {
                break;
            }
            if size(id) > size(largest) {
                largest = id;
            }
            id = self.queue.newer(id);
        }
        self.queue.unlink(largest);
        largest
    }

    fn remove(&mut self, id: u32) {
        self.queue.unlink(id)
    }
}

policy!(SizeFirst);
