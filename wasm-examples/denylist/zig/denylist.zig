//! denylist refuses commands on keys that match a pattern. See ../README.md.

const std = @import("std");
const ec = @import("edgecache");

comptime {
    ec.plugin(@This());
}

pub const panic = ec.panic;

const max_patterns = 64;
const max_pattern = 256; // bytes

const Config = struct {
    deny: []const Pattern = &.{},
    allow: []const Pattern = &.{},
};

/// A pattern that a reason can quote.
const Pattern = struct {
    glob: ec.Glob = .{},

    pub fn parse(text: []u8) !Pattern {
        if (text.len > max_pattern) return error.TooLong;
        if (!std.unicode.utf8ValidateSlice(text)) return error.NotUTF8;
        return .{ .glob = try ec.Glob.parse(text) };
    }

    pub fn explain(err: anyerror) []const u8 {
        return switch (err) {
            error.TooLong => "pattern of more than 256 bytes",
            error.NotUTF8 => "pattern is not UTF-8",
            else => ec.Glob.explain(err),
        };
    }
};

const Row = extern struct { label: u64, denied: u64 };

var conf = Config{};
var rows = [1]Row{.{ .label = ec.label(0, ec.namespace_all), .denied = 0 }};

pub fn init(text: []const u8, _: u64) ?[]const u8 {
    if (ec.config.read(text, &conf)) |wrong| return wrong;
    if (conf.deny.len + conf.allow.len > max_patterns) return "deny, allow: more than 64 patterns";
    return null;
}

pub fn before(call: ec.Call) ec.Action {
    const denied = find(conf.deny, call.key) orelse return .{};
    if (find(conf.allow, call.key) != null) return .{};
    rows[0].denied += 1;
    var quoted: [2 * max_pattern]u8 = undefined;
    return ec.deny(ec.message(&.{ "key matches \"", denied.glob.write(&quoted), "\"" }));
}

pub fn stats() []const Row {
    return &rows;
}

fn find(patterns: []const Pattern, key: []const u8) ?*const Pattern {
    for (patterns) |*p| {
        if (p.glob.matches(key)) return p;
    }
    return null;
}
