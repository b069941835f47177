//! remember is an LRU that keeps out what it has thrown out, the next time that this is asked for, unless it was told to
//! forget it: admit and forget at work.
#![no_std]
use edgecache::policy::*;

struct Remember {
    queue: Lists,
    gone: Array<bool>, // by id: it was thrown out
}

impl Policy for Remember {
    fn init(spec: &mut Spec) -> Result<Self, Error> {
        Ok(Remember { queue: spec.lists(1)?, gone: spec.array(spec.objects)? })
    }

    fn hit(&mut self, id: u32) {
        self.queue.touch(0, id)
    }

    fn admit(&mut self, id: u32, _size: u32) -> bool {
        let gone = self.gone[id];
        self.gone[id] = false;
        !gone
    }

    fn insert(&mut self, id: u32, _size: u32) {
        self.queue.push(0, id)
    }

    fn evict(&mut self) -> u32 {
        let id = self.queue.pop(0);
        self.gone[id] = true;
        id
    }

    fn remove(&mut self, id: u32) {
        self.queue.unlink(id)
    }

    fn forget(&mut self, id: u32) {
        self.gone[id] = false
    }
}

policy!(Remember: admit, forget);
