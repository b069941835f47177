//! policy is what an eviction policy needs: it decides what a full cache throws out. It sees numbers from 0 to objects-1,
//! never keys, so arrays are all it needs. docs/ABI.md explains the calls that stand behind it.
//!
//! ```text
//! #![no_std]
//! use edgecache::policy::*;
//!
//! struct Lru {
//!     queue: Lists,
//! }
//!
//! impl Policy for Lru {
//!     fn init(spec: &mut Spec) -> Result<Self, Error> {
//!         Ok(Lru { queue: spec.lists(1)? })
//!     }
//!     fn hit(&mut self, id: u32) {
//!         self.queue.touch(0, id)
//!     }
//!     fn insert(&mut self, id: u32, _size: u32) {
//!         self.queue.push(0, id)
//!     }
//!     fn evict(&mut self) -> u32 {
//!         self.queue.pop(0)
//!     }
//!     fn remove(&mut self, id: u32) {
//!         self.queue.unlink(id)
//!     }
//! }
//!
//! policy!(Lru);
//! ```

use super::{grow, trap, Config, Text, MAX_POLICY_TEXT, SPEC_BYTES, SPEC_PARAMS};
use core::{
    mem,
    ops::{Index, IndexMut, Range},
    ptr, slice, str,
};

pub use super::Error;

/// An eviction policy. What is resident, how large it is and how much room is left is kept for it.
pub trait Policy: Sized {
    /// Once, ahead of all: takes its arrays from spec, reads its parameters. An error refuses the cache.
    fn init(spec: &mut Spec) -> Result<Self, Error>;

    /// A resident object was asked for.
    fn hit(&mut self, id: u32);

    /// An absent one was; it is resident from here on, and there is room.
    fn insert(&mut self, id: u32, size: u32);

    /// Room is needed: picks a resident object, which is gone from here on.
    fn evict(&mut self) -> u32;

    /// A resident object is gone for another reason, such as its age.
    fn remove(&mut self, id: u32);

    /// A miss, before room is made: false keeps the object out. Named in policy! to be asked for single events, too.
    #[inline(always)]
    fn admit(&mut self, _id: u32, _size: u32) -> bool {
        true
    }

    /// The id, of an object that is not resident, will stand for another: what is remembered of it does not count. A policy
    /// that remembers what it threw out names this in policy!, for caches that live.
    fn forget(&mut self, _id: u32) {}
}

/// Makes the module a policy: `policy!(Type)`, or `policy!(Type: admit, forget)` with what the type has of those. It embeds the
/// manifest, the file manifest.json beside the source. Once in a module. A panic traps.
#[macro_export]
macro_rules! __edgecache_policy {
    ($policy:ty $(: $($more:ident),+)?) => {
        static mut __POLICY: Option<$policy> = None;

        fn __policy() -> &'static mut $policy {
            match unsafe { &mut *core::ptr::addr_of_mut!(__POLICY) } { // the host makes one call at a time
                Some(policy) => policy,
                None => edgecache::trap(),
            }
        }

        #[used]
        #[link_section = "edgecache.manifest"]
        static __MANIFEST: [u8; include_bytes!("manifest.json").len()] = *include_bytes!("manifest.json");

        #[no_mangle]
        pub extern "C" fn edgecache_abi_policy_1() {}

        #[no_mangle]
        pub extern "C" fn ec_buf(min_size: usize) -> *mut u8 {
            edgecache::policy::ec::buf(min_size)
        }

        #[no_mangle]
        pub extern "C" fn ec_policy_init(spec_len: usize) -> usize {
            edgecache::policy::ec::init(spec_len, unsafe { &mut *core::ptr::addr_of_mut!(__POLICY) })
        }

        #[no_mangle]
        pub extern "C" fn ec_policy_batch(n: usize) -> usize {
            edgecache::policy::ec::batch(__policy(), n)
        }

        #[no_mangle]
        pub extern "C" fn ec_policy_hit(id: u32) {
            edgecache::policy::Policy::hit(__policy(), id)
        }

        #[no_mangle]
        pub extern "C" fn ec_policy_insert(id: u32, size: u32) {
            edgecache::policy::ec::insert(__policy(), id, size)
        }

        #[no_mangle]
        pub extern "C" fn ec_policy_evict() -> u32 {
            edgecache::policy::ec::evict(__policy())
        }

        #[no_mangle]
        pub extern "C" fn ec_policy_remove(id: u32) {
            edgecache::policy::ec::remove(__policy(), id)
        }

        $($(edgecache::policy::__more!($more);)+)?

        #[panic_handler]
        fn __panic(_: &core::panic::PanicInfo) -> ! {
            edgecache::trap()
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __edgecache_policy_more {
    (admit) => {
        #[no_mangle]
        pub extern "C" fn ec_policy_admit(id: u32, size: u32) -> u32 {
            edgecache::policy::Policy::admit(__policy(), id, size) as u32
        }
    };
    (forget) => {
        #[no_mangle]
        pub extern "C" fn ec_policy_forget(id: u32) {
            edgecache::policy::Policy::forget(__policy(), id)
        }
    };
}

pub use __edgecache_policy as policy;
#[doc(hidden)]
pub use __edgecache_policy_more as __more;

/// The cache that a policy works for.
pub struct Spec {
    /// How much fits: objects, or bytes where sizes count.
    pub capacity: u64,
    /// For policies that choose by chance: the same seed, the same choices.
    pub seed: u64,
    /// Ids go from 0 to objects-1.
    pub objects: u32,
    /// How many can be resident at once.
    pub most: u32,
    /// Whether the capacity is bytes. Else every object has size 1.
    pub bytes: bool,
    params: Params,
    why: Text<{ MAX_POLICY_TEXT - 1 }>,
}

impl Spec {
    /// An array of n elements, all 0, for good.
    pub fn array<T: Zero>(&mut self, n: u32) -> Result<Array<T>, Error> {
        ec::array(n as usize)
    }

    /// The links of all objects, and n empty lists, which are called 0 to n-1.
    pub fn lists(&mut self, n: u32) -> Result<Lists, Error> {
        let (objects, lists) = (self.objects, n.max(1));
        let mut at = self.array::<Links>(objects.checked_add(lists).ok_or(NO_MEMORY)?)?;
        for root in objects..objects + lists {
            at[root] = Links { newer: root, older: root };
        }
        Ok(Lists { at, objects, lists })
    }

    /// The parameter of that name, if it is given. Those that init does not ask for are refused.
    pub fn param(&mut self, name: &str) -> Option<&str> {
        self.params.get(name)
    }

    /// The parameter of that name, a whole number from least to most, or what it is where it is not given.
    pub fn number(&mut self, name: &str, least: u64, most: u64, or: u64) -> Result<u64, Error> {
        let text = match self.params.get(name) {
            None => return Ok(or),
            Some(text) => text,
        };
        match text.parse() {
            Ok(n) if (least..=most).contains(&n) => return Ok(n),
            _ => {}
        }
        for part in ["parameter ", name, "=\"", text, "\" is no whole number from "] {
            self.why.push(part.as_bytes());
        }
        self.why.push_number(least);
        self.why.push(b" to ");
        self.why.push_number(most);
        Err(Error(""))
    }

    /// An error in these words.
    pub fn refuse(&mut self, why: &str) -> Error {
        self.why.set(why.as_bytes());
        Error("")
    }
}

const NO_MEMORY: Error = Error("there is not enough memory for so many objects");

/// What parameters there are, and which were asked for.
struct Params {
    text: &'static mut [u8],
    all: [(Range<usize>, Range<usize>); MAX_PARAMS],
    n: usize,
    asked: u32,
}

const MAX_PARAMS: usize = 16;

impl Params {
    /// Reads an object of strings.
    fn read(text: &'static mut [u8]) -> Result<Self, Error> {
        const NONE: (Range<usize>, Range<usize>) = (0..0, 0..0);
        let mut config = Config { text, features: 0, at: 0, field_at: 0, message: Text::NEW };
        let mut params = Params { text: &mut [], all: [NONE; MAX_PARAMS], n: 0, asked: 0 };
        let mut good = config.take(b'{');
        while good && !config.take(b'}') {
            let name = config.string_range();
            good = config.take(b':');
            let value = config.string_range();
            good &= config.take(b',') || config.peek() == b'}';
            match (name, value, params.all.get_mut(params.n)) {
                (Ok(name), Ok(value), Some(to)) => *to = (name, value),
                _ => return Err("too many parameters".into()),
            }
            params.n += 1;
        }
        params.text = mem::take(&mut config.text);
        if good { Ok(params) } else { Err("the parameters are no JSON object of strings".into()) }
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or(&[])
    }

    fn get(&mut self, name: &str) -> Option<&str> {
        let i = self.all.iter().take(self.n).position(|(n, _)| self.part(n) == name.as_bytes())?;
        self.asked |= 1 << i;
        str::from_utf8(self.part(&self.all.get(i)?.1)).ok()
    }

    /// The name of a parameter that nobody asked for.
    fn unknown(&self) -> Option<&[u8]> {
        let i = (0..self.n).find(|i| self.asked >> i & 1 == 0)?;
        Some(self.part(&self.all.get(i)?.0))
    }
}

/// Types whose values may be all 0 bits.
///
/// # Safety
///
/// All 0 bits are a value of the type.
pub unsafe trait Zero: Copy {}

macro_rules! zero {
    ($($t:ty)+) => { $(unsafe impl Zero for $t {})+ };
}

zero!(bool u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 Links);

/// An array that takes ids. What is outside of it traps.
#[derive(Clone, Copy)]
pub struct Array<T> {
    at: *mut T,
    len: u32,
}

impl<T> Array<T> {
    #[inline(always)]
    fn place(&self, i: u32) -> *mut T {
        if i >= self.len {
            trap()
        }
        unsafe { self.known(i) }
    }

    /// The place of an index that is within the array.
    #[inline(always)]
    unsafe fn known(&self, i: u32) -> *mut T {
        self.at.add(i as usize)
    }
}

impl<T> Index<u32> for Array<T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, i: u32) -> &T {
        unsafe { &*self.place(i) }
    }
}

impl<T> IndexMut<u32> for Array<T> {
    #[inline(always)]
    fn index_mut(&mut self, i: u32) -> &mut T {
        unsafe { &mut *self.place(i) }
    }
}

/// The neighbours of an object in its list. Of a root, they are the oldest and the newest, or the root itself.
#[derive(Clone, Copy)]
struct Links {
    newer: u32,
    older: u32,
}

/// Lists of objects, from the newest to the oldest. Each is a ring through a place of its own behind those of the objects, its
/// root, so that no end needs care. An object is in one of the lists or in none.
///
/// Neighbours are always within the links: an id that a policy gives is checked, once, and what the links hold is not. What is
/// no object traps.
pub struct Lists {
    at: Array<Links>,
    objects: u32,
    lists: u32, // how many there are, at least 1
}

impl Lists {
    /// Makes an object that is in no list the newest of one.
    #[inline(always)]
    pub fn push(&mut self, list: u32, id: u32) {
        let (root, id) = (self.place(list), self.object(id));
        unsafe { self.link(root, id) }
    }

    /// Takes an object out of the list that it is in.
    #[inline(always)]
    pub fn unlink(&mut self, id: u32) {
        let id = self.object(id);
        unsafe { self.cut(id) }
    }

    /// Makes an object of a list, whichever it is in, the newest of one.
    #[inline(always)]
    pub fn touch(&mut self, list: u32, id: u32) {
        let (root, id) = (self.place(list), self.object(id));
        unsafe {
            self.cut(id);
            self.link(root, id)
        }
    }

    /// Takes the oldest out of a list, which must not be empty.
    #[inline(always)]
    pub fn pop(&mut self, list: u32) -> u32 {
        unsafe {
            let id = (*self.at.known(self.place(list))).newer;
            self.cut(id);
            id
        }
    }

    /// The oldest of a list, its root if it is empty.
    #[inline(always)]
    pub fn oldest(&self, list: u32) -> u32 {
        unsafe { (*self.at.known(self.place(list))).newer }
    }

    /// The one that came after an object into its list, the list's root behind the newest; of a root, the oldest.
    #[inline(always)]
    pub fn newer(&self, id: u32) -> u32 {
        self.at[id].newer
    }

    /// The one that came before an object into its list, the list's root before the oldest; of a root, the newest.
    #[inline(always)]
    pub fn older(&self, id: u32) -> u32 {
        self.at[id].older
    }

    /// What stands in the place of an object at the ends of a list.
    #[inline(always)]
    pub fn root(&self, list: u32) -> u32 {
        self.objects + list
    }

    /// The root of a list, which is within the links: the first list is always there, so that most policies check nothing.
    #[inline(always)]
    fn place(&self, list: u32) -> u32 {
        if list != 0 && list >= self.lists {
            trap()
        }
        self.root(list)
    }

    /// Returns id, which is an object's.
    #[inline(always)]
    fn object(&self, id: u32) -> u32 {
        if id >= self.objects {
            trap()
        }
        id
    }

    /// push, of a root and an object that are within the links.
    #[inline(always)]
    unsafe fn link(&mut self, root: u32, id: u32) {
        let newest = (*self.at.known(root)).older;
        let links = self.at.known(id);
        (*links).older = newest; // the higher address first: the host then checks the other no more
        (*links).newer = root;
        (*self.at.known(newest)).newer = id;
        (*self.at.known(root)).older = id;
    }

    /// unlink, of an object that is within the links.
    #[inline(always)]
    unsafe fn cut(&mut self, id: u32) {
        let Links { newer, older } = *self.at.known(id);
        (*self.at.known(newer)).older = older;
        (*self.at.known(older)).newer = newer;
    }
}

/// Whether an object is resident.
#[inline(always)]
pub fn resident(id: u32) -> bool {
    ec::resident(id)
}

/// The size of an object that is resident, or of one that was, when it came last: 1 where sizes do not count.
#[inline(always)]
pub fn size(id: u32) -> u32 {
    ec::size(id)
}

/// What policy! makes of the calls, and the memory that they share with the host.
#[doc(hidden)]
pub mod ec {
    use super::*;

    const PAGE: usize = 1 << 16;
    const SMALL_CALL: usize = 2048; // specs up to this need no more memory than the module begins with

    #[repr(C, align(8))]
    struct Small([u8; SMALL_CALL]);

    static mut SMALL: Small = Small([0; SMALL_CALL]);
    static mut CALL: *mut u8 = ptr::null_mut(); // set by the first call of buf, which is the host's first call
    static mut FREE: (usize, usize) = (0, 0); // memory that has not been given away: from, to

    /// Where the host puts requests and finds what became of them, in the order of the ABI.
    #[repr(C, align(8))]
    struct Frame {
        ids: *mut u32,
        sizes: *mut u32,
        hits: *mut u32,
        victims: *mut Victim,
        reserved: u32,
    }

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Victim {
        at: u32,
        id: u32,
    }

    unsafe impl Zero for Victim {}

    /// The books: only the room that is used changes once init is done.
    #[derive(Clone, Copy)]
    struct Books {
        capacity: u64,
        used: u64,
        objects: u32,
        resident: *mut bool, // by id
        size: *mut u32,      // by id, null where sizes do not count
    }

    static mut FRAME: Frame = Frame {
        ids: ptr::null_mut(),
        sizes: ptr::null_mut(),
        hits: ptr::null_mut(),
        victims: ptr::null_mut(),
        reserved: 0,
    };
    static mut BOOKS: Books =
        Books { capacity: 0, used: 0, objects: 0, resident: ptr::null_mut(), size: ptr::null_mut() };

    /// Takes memory for n elements from what is left of the last pages, or from new ones.
    pub fn array<T: Zero>(n: usize) -> Result<Array<T>, Error> {
        let bytes = n.checked_mul(mem::size_of::<T>()).and_then(|b| b.checked_add(7)).ok_or(NO_MEMORY)? / 8 * 8;
        unsafe {
            if FREE.1 - FREE.0 < bytes {
                let pages = grow(bytes).ok_or(NO_MEMORY)?;
                let begin = pages.as_mut_ptr() as usize;
                if FREE.1 != begin {
                    FREE.0 = begin;
                }
                FREE.1 = begin + (bytes + PAGE - 1) / PAGE * PAGE;
            }
            let at = FREE.0 as *mut T;
            FREE.0 += bytes;
            Ok(Array { at, len: n as u32 })
        }
    }

    /// Returns the call buffer, or null where memory may not grow so far.
    pub fn buf(min_size: usize) -> *mut u8 {
        unsafe {
            if min_size > SMALL_CALL {
                CALL = match array::<u64>(min_size / 8 + 1) {
                    Ok(larger) => larger.at as *mut u8,
                    Err(_) => ptr::null_mut(),
                };
            } else if CALL.is_null() {
                CALL = ptr::addr_of_mut!(SMALL.0) as *mut u8;
            }
            CALL
        }
    }

    /// Makes the policy, and returns where the frame is, or 0 with the reason in the call buffer.
    pub fn init<P: Policy>(spec_len: usize, policy: &mut Option<P>) -> usize {
        let given = unsafe { slice::from_raw_parts_mut(CALL, spec_len) };
        let mut why = Text::<{ MAX_POLICY_TEXT - 1 }>::NEW;
        match make(given, &mut why) {
            Ok(made) => {
                *policy = Some(made);
                return unsafe { ptr::addr_of!(FRAME) as usize };
            }
            Err(Error("")) => {}
            Err(Error(text)) => {
                why.set(text.as_bytes());
            }
        }
        unsafe {
            ptr::copy_nonoverlapping(why.as_ptr(), CALL, why.len());
            *CALL.add(why.len()) = 0;
        }
        0
    }

    fn make<P: Policy>(given: &'static mut [u8], why: &mut Text<{ MAX_POLICY_TEXT - 1 }>) -> Result<P, Error> {
        if given.len() < SPEC_PARAMS {
            trap()
        }
        let (head, params) = given.split_at_mut(SPEC_PARAMS);
        let word = |at: usize| unsafe { (head.as_ptr().add(at) as *const u32).read() };
        let long = |at: usize| unsafe { (head.as_ptr().add(at) as *const u64).read() };
        let mut spec = Spec {
            capacity: long(super::super::SPEC_CAPACITY),
            seed: long(super::super::SPEC_SEED),
            objects: word(super::super::SPEC_OBJECTS),
            most: word(super::super::SPEC_MOST),
            bytes: word(super::super::SPEC_FLAGS) & SPEC_BYTES != 0,
            params: Params::read(params)?,
            why: Text::NEW,
        };
        open(&spec, word(super::super::SPEC_BATCH) as usize)?;
        let made = P::init(&mut spec);
        *why = spec.why;
        let made = made?;
        if let Some(name) = spec.params.unknown() {
            for part in [b"parameter \"", name, b"\" is not known"] {
                why.push(part);
            }
            return Err(Error(""));
        }
        Ok(made)
    }

    /// Takes what the SDK itself needs.
    fn open(spec: &Spec, batch: usize) -> Result<(), Error> {
        let objects = spec.objects as usize;
        unsafe {
            FRAME.ids = array(batch)?.at;
            FRAME.sizes = array(batch)?.at;
            FRAME.hits = array((batch + 31) / 32)?.at;
            FRAME.victims = array(spec.most as usize + batch)?.at;
            BOOKS.resident = array(objects)?.at;
            BOOKS.size = if spec.bytes { array(objects)?.at } else { ptr::null_mut() };
            BOOKS.capacity = spec.capacity;
            BOOKS.objects = spec.objects;
        }
        Ok(())
    }

    #[inline(always)]
    pub fn resident(id: u32) -> bool {
        unsafe { id < BOOKS.objects && *BOOKS.resident.add(id as usize) }
    }

    #[inline(always)]
    pub fn size(id: u32) -> u32 {
        unsafe {
            match BOOKS.size.is_null() {
                true => 1,
                false if id >= BOOKS.objects => trap(),
                false => *BOOKS.size.add(id as usize),
            }
        }
    }

    impl Books {
        /// Accounts for an object that is resident from here on.
        #[inline(always)]
        unsafe fn came(&mut self, id: u32, size: u32, sized: bool) {
            *self.resident.add(id as usize) = true;
            if sized {
                *self.size.add(id as usize) = size;
            }
            self.used += size as u64;
        }

        /// Accounts for an object that is not resident from here on. It returns false if there is no such object: the host
        /// must see that.
        #[inline(always)]
        unsafe fn went(&mut self, id: u32, sized: bool) -> bool {
            if id >= self.objects || !*self.resident.add(id as usize) {
                return false;
            }
            *self.resident.add(id as usize) = false;
            self.used -= if sized { *self.size.add(id as usize) as u64 } else { 1 };
            true
        }
    }

    #[inline]
    pub fn batch<P: Policy>(policy: &mut P, n: usize) -> usize {
        unsafe {
            if mem::size_of::<P>() > FEW {
                return sized(policy, n);
            }
            let mut local = ptr::read(policy); // a trap in between ends the module, so there are never two of them
            let victims = sized(&mut local, n);
            ptr::write(policy, local);
            victims
        }
    }

    /// What a policy may have in bytes to be a local variable while a batch is on its way: the compiler then need not look
    /// into memory for where its arrays are, again after each write.
    const FEW: usize = 256;

    #[inline(always)]
    unsafe fn sized<P: Policy>(policy: &mut P, n: usize) -> usize {
        match BOOKS.size.is_null() {
            true => run(policy, n, false),
            false => run(policy, n, true),
        }
    }

    /// Goes through n requests and returns how many victims there are.
    #[inline(always)]
    unsafe fn run<P: Policy>(policy: &mut P, n: usize, sized: bool) -> usize {
        let Frame { ids, sizes, hits, victims, .. } = ptr::addr_of!(FRAME).read();
        let mut books = BOOKS;
        let mut end = victims;
        ptr::write_bytes(hits, 0, (n + 31) / 32);
        'requests: for i in 0..n {
            let id = *ids.add(i);
            if *books.resident.add(id as usize) {
                *hits.add(i / 32) |= 1 << (i % 32);
                policy.hit(id);
                continue;
            }
            let size = if sized { *sizes.add(i) } else { 1 };
            if !policy.admit(id, size) {
                end = note(end, i, id);
                continue;
            }
            while books.used + size as u64 > books.capacity {
                let id = policy.evict();
                end = note(end, i, id);
                if !books.went(id, sized) {
                    break 'requests;
                }
            }
            books.came(id, size, sized);
            policy.insert(id, size);
        }
        BOOKS.used = books.used;
        end.offset_from(victims) as usize
    }

    /// Writes down an object that request i makes go.
    #[inline(always)]
    unsafe fn note(end: *mut Victim, i: usize, id: u32) -> *mut Victim {
        (*end).id = id;
        (*end).at = i as u32;
        end.add(1)
    }

    #[inline(always)]
    pub fn insert<P: Policy>(policy: &mut P, id: u32, size: u32) {
        unsafe { BOOKS.came(id, size, !BOOKS.size.is_null()) }
        policy.insert(id, size)
    }

    #[inline(always)]
    pub fn evict<P: Policy>(policy: &mut P) -> u32 {
        let id = policy.evict();
        unsafe { BOOKS.went(id, !BOOKS.size.is_null()) };
        id
    }

    #[inline(always)]
    pub fn remove<P: Policy>(policy: &mut P, id: u32) {
        unsafe { BOOKS.went(id, !BOOKS.size.is_null()) };
        policy.remove(id)
    }
}
