//! A pattern in which * stands for any run of bytes, also of none, and a backslash takes its meaning from a star or a
//! backslash. A text matches as a whole, byte by byte.

const std = @import("std");
const Glob = @This();

/// How many stars a pattern may have.
pub const max_stars = 9;

parts: [max_stars + 1][]const u8 = undefined, // what stands between the stars
n: usize = 0, // parts

/// Matches everything.
pub const any = Glob{ .parts = [_][]const u8{""} ** (max_stars + 1), .n = 2 };

pub const Error = error{ TooManyStars, BadEscape };

/// What is wrong with a pattern, as text.
pub fn explain(err: anyerror) []const u8 {
    return switch (err) {
        error.TooManyStars => "more than 9 stars in a pattern",
        else => "backslash before neither * nor \\ in a pattern",
    };
}

/// Takes the pattern apart, in place: the glob is a view of it.
pub fn parse(pattern: []u8) Error!Glob {
    var g = Glob{};
    var start: usize = 0; // of the part
    var end: usize = 0; // of what was written of it
    var i: usize = 0;
    while (i < pattern.len) : (i += 1) {
        var c = pattern[i];
        if (c == '*') {
            if (g.n == max_stars) return error.TooManyStars;
            g.add(pattern[start..end]);
            start = end;
            continue;
        }
        if (c == '\\') {
            i += 1;
            if (i == pattern.len or (pattern[i] != '*' and pattern[i] != '\\')) return error.BadEscape;
            c = pattern[i];
        }
        pattern[end] = c;
        end += 1;
    }
    g.add(pattern[start..end]);
    return g;
}

/// Writes the pattern as parse took it, with twice the bytes that its parts have and its stars at most, and returns it.
pub fn write(g: *const Glob, to: []u8) []u8 {
    var n: usize = 0;
    for (g.parts[0..g.n], 0..) |part, i| {
        if (i > 0) {
            to[n] = '*';
            n += 1;
        }
        for (part) |c| {
            if (c == '*' or c == '\\') {
                to[n] = '\\';
                n += 1;
            }
            to[n] = c;
            n += 1;
        }
    }
    return to[0..n];
}

fn add(g: *Glob, part: []const u8) void {
    g.parts[g.n] = part;
    g.n += 1;
}

/// Reports whether the pattern matches all of the text.
pub fn matches(g: *const Glob, text: []const u8) bool {
    const first = g.parts[0];
    const last = g.parts[g.n - 1];
    if (g.n == 1) return equal(text, first);
    if (text.len < first.len + last.len) return false;
    if (!equal(text[0..first.len], first) or !equal(text[text.len - last.len ..], last)) return false;
    var rest = text[first.len .. text.len - last.len];
    for (g.parts[1 .. g.n - 1]) |part| {
        const at = find(rest, part) orelse return false;
        rest = rest[at + part.len ..];
    }
    return true;
}

fn find(text: []const u8, part: []const u8) ?usize {
    var i: usize = 0;
    while (i + part.len <= text.len) : (i += 1) {
        if (equal(text[i..][0..part.len], part)) return i;
    }
    return null;
}

fn equal(a: []const u8, b: []const u8) bool {
    return std.mem.eql(u8, a, b);
}
