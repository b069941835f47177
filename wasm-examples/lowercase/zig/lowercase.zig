//! lowercase puts the ASCII capitals of keys in lower case and a prefix before them. See ../README.md.

const ec = @import("edgecache");

comptime {
    ec.plugin(@This());
}

pub const panic = ec.panic;

const Config = struct {
    prefix: []const u8 = "",

    pub const limits = .{ .prefix = .{ 0, 512 } };
};

var conf = Config{};

pub fn init(text: []const u8, _: u64) ?[]const u8 {
    return ec.config.read(text, &conf);
}

pub fn before(call: ec.Call) ec.Action {
    const n = conf.prefix.len;
    const key = ec.answer()[0 .. n + call.key.len];
    ec.copy(key[0..n], conf.prefix);
    var changed: u64 = n;
    // Eight bytes at a time, beyond the key's end too: there is room on both sides.
    var i: usize = 0;
    while (i < call.key.len) : (i += 8) {
        const x: u64 = @bitCast(call.key.ptr[i..][0..8].*);
        const y = lower(x);
        key.ptr[n + i ..][0..8].* = @bitCast(y);
        changed |= x ^ y;
    }
    return if (changed != 0) ec.action(ec.action_key, key) else .{};
}

/// Makes the ASCII capitals among eight bytes small: a byte is one if it has no high bit, and adding what is missing sets
/// the high bit from A on but not yet behind Z.
fn lower(x: u64) u64 {
    const ones: u64 = 0x0101010101010101;
    const high = 0x80 * ones;
    const low = x & ~high;
    const capital = (low + 0x3f * ones) & ~(low + 0x25 * ones) & ~x & high;
    return x | capital >> 2;
}
