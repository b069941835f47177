//! canary gives a share of the keys another name. See ../README.md.

const ec = @import("edgecache");

comptime {
    ec.plugin(@This());
}

pub const panic = ec.panic;

const Config = struct {
    match: ec.Glob = ec.Glob.any,
    percent: u32 = 0,
    suffix: []const u8 = "@canary",

    pub const limits = .{ .percent = .{ 0, 100 }, .suffix = .{ 0, 512 } };
};

var conf = Config{};

pub fn init(text: []const u8, _: u64) ?[]const u8 {
    return ec.config.read(text, &conf);
}

pub fn before(call: ec.Call) ec.Action {
    if (conf.percent == 0 or !conf.match.matches(call.key)) return .{};
    if (ec.hash64(call.key) % 100 >= conf.percent) return .{};
    const n = call.key.len;
    const key = ec.answer()[0 .. n + conf.suffix.len];
    ec.copy(key[0..n], call.key);
    ec.copy(key[n..], conf.suffix);
    return ec.action(ec.action_key, key);
}
