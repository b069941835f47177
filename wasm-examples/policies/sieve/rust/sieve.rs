//! sieve is a queue through which a hand goes from the oldest object to the newest, and throws out the first that was not
//! asked for since the hand came by. See ../README.md.
#![no_std]
use edgecache::policy::*;

struct Sieve {
    queue: Lists,
    asked: Array<bool>, // by id: whether it was asked for since the hand came by
    hand: u32,          // the next to look at; the queue's root is the oldest
}

impl Policy for Sieve {
    fn init(spec: &mut Spec) -> Result<Self, Error> {
        let queue = spec.lists(1)?;
        Ok(Sieve { hand: queue.root(0), queue, asked: spec.array(spec.objects)? })
    }

    fn hit(&mut self, id: u32) {
        self.asked[id] = true
    }

    fn insert(&mut self, id: u32, _size: u32) {
        self.asked[id] = false;
        self.queue.push(0, id)
    }

    fn evict(&mut self) -> u32 {
        let root = self.queue.root(0);
        let mut id = self.hand;
        while id == root || self.asked[id] {
            if id != root {
                self.asked[id] = false;
            }
            id = self.queue.newer(id);
        }
        self.hand = id;
        self.remove(id);
        id
    }

    fn remove(&mut self, id: u32) {
        if self.hand == id {
            self.hand = self.queue.newer(id);
        }
        self.queue.unlink(id)
    }
}

policy!(Sieve);
