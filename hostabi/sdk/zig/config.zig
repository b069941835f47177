//! config.zig reads a configuration, which is JSON, into a struct whose fields have the names and the defaults:
//!
//!     const Config = struct {
//!         prefix: []const u8 = "",
//!         percent: u32 = 0,
//!
//!         pub const limits = .{ .prefix = .{ 0, 256 }, .percent = .{ 0, 100 } };
//!     };
//!     var conf = Config{};
//!
//!     pub fn init(text: []const u8, _: u64) ?[]const u8 {
//!         return ec.config.read(text, &conf);
//!     }
//!
//! Fields are bool, integers, f64, []u8, Glob, structs, and slices of them. limits, of those fields that it names, are for
//! numbers and for lengths of strings and slices. What fields point to is kept in a static area. An unknown field is an error,
//! and so is one that stands twice. It makes less than half the code of std.json.

const std = @import("std");

/// How many bytes the strings and slices of a configuration may take.
pub const max_memory = 16384;

var memory: [max_memory]u8 align(8) = undefined;
var text_memory: [1024]u8 = undefined;

/// Reads the JSON object text into the struct that to points to and returns null, or what is wrong. For init.
pub fn read(text: []const u8, to: anytype) ?[]const u8 {
    var r = Reader{ .text = text };
    r.document(to) catch return r.report();
    return null;
}

/// Puts a text together, for init or a refusal. It is cut after 1,024 bytes.
pub noinline fn message(parts: []const []const u8) []const u8 {
    var n: usize = 0;
    for (parts) |part| {
        for (part[0..@min(part.len, text_memory.len - n)]) |c| {
            text_memory[n] = c;
            n += 1;
        }
    }
    return text_memory[0..n];
}

/// Writes a number in decimal.
pub fn decimal(buf: *[20]u8, n: u64) []const u8 {
    var rest = n;
    var i: usize = buf.len;
    while (true) {
        i -= 1;
        buf[i] = '0' + @as(u8, @intCast(rest % 10));
        rest /= 10;
        if (rest == 0) return buf[i..];
    }
}

/// What a field's value may be.
const Limits = struct {
    least: i64,
    most: i64,

    fn of(comptime T: type, comptime name: []const u8) Limits {
        if (@hasDecl(T, "limits") and @hasField(@TypeOf(T.limits), name)) {
            const pair = @field(T.limits, name);
            return .{ .least = pair[0], .most = pair[1] };
        }
        return .{ .least = std.math.minInt(i64), .most = std.math.maxInt(i64) };
    }

    fn within(l: Limits, comptime T: type) Limits {
        const most = std.math.lossyCast(i64, std.math.maxInt(T));
        return .{ .least = @max(l.least, std.math.minInt(T)), .most = @min(l.most, most) };
    }

    /// What was wanted, " from 1 to 5", without the limits that say nothing.
    fn text(comptime l: Limits) []const u8 {
        const open = l.least == std.math.minInt(i64) or l.most == std.math.maxInt(i64);
        return if (open) "" else std.fmt.comptimePrint(" from {} to {}", .{ l.least, l.most });
    }
};

const Error = error{Wrong};

const Reader = struct {
    text: []const u8,
    at: usize = 0, // the next byte to read
    used: usize = 0, // of memory
    error_at: usize = 0, // where what error.Wrong is about begins
    what: [5][]const u8 = undefined, // what it is

    /// Something else than what stands at the next byte is wanted.
    noinline fn want(r: *Reader, what: []const u8) Error {
        if (r.peek() == 0 and r.at == r.text.len) return r.wrong(r.at, .{ "want ", what, ", found the end", "", "" });
        return r.wrong(r.at, .{ "want ", what, ", found \"", plain(r.text[r.at..][0..1]), "\"" });
    }

    noinline fn wrong(r: *Reader, at: usize, what: [5][]const u8) Error {
        r.error_at = at;
        r.what = what;
        return error.Wrong;
    }

    noinline fn wrongString(r: *Reader, at: usize, what: []const u8) Error {
        return r.wrong(at, .{ what, "", "", "", "" });
    }

    noinline fn report(r: *const Reader) []const u8 {
        var buf: [20]u8 = undefined;
        const w = r.what;
        return message(&.{ "config byte ", decimal(&buf, r.error_at), ": ", w[0], w[1], w[2], w[3], w[4] });
    }

    fn document(r: *Reader, to: anytype) Error!void {
        try r.object(@TypeOf(to.*), to);
        if (r.peek() != 0 or r.at < r.text.len) return r.want("nothing behind the JSON object");
    }

    fn value(r: *Reader, comptime T: type, to: *T, comptime limits: Limits) Error!void {
        switch (@typeInfo(T)) {
            .Bool => to.* = try r.boolean(),
            .Int => to.* = try r.integer(T, limits.within(T)),
            .Float => to.* = try r.number(limits),
            .Struct => if (@hasDecl(T, "parse")) try r.parsed(T, to) else try r.object(T, to),
            .Pointer => |p| to.* = if (p.child == u8) try r.shortString(limits) else try r.array(p.child, limits),
            else => @compileError("no configuration can be read into a " ++ @typeName(T)),
        }
    }

    fn object(r: *Reader, comptime T: type, to: *T) Error!void {
        if (!r.take('{')) return r.want("an object");
        var seen = [_]bool{false} ** @typeInfo(T).Struct.fields.len;
        var n: usize = 0;
        while (try r.more('}', &n)) {
            if (r.peek() != '"') return r.want("the name of a field");
            const start = r.at;
            const name = try r.string();
            if (!r.take(':')) return r.want("a colon");
            _ = r.peek();
            try r.member(T, to, start, name, &seen);
        }
    }

    fn member(r: *Reader, comptime T: type, to: *T, start: usize, name: []const u8, seen: []bool) Error!void {
        inline for (@typeInfo(T).Struct.fields, 0..) |f, i| {
            if (std.mem.eql(u8, f.name, name)) {
                if (seen[i]) return r.wrong(start, .{ "field \"", plain(name), "\" appears twice", "", "" });
                seen[i] = true;
                return r.value(f.type, &@field(to, f.name), comptime Limits.of(T, f.name));
            }
        }
        return r.wrong(start, .{ "unknown field \"", plain(name), "\": want ", comptime names(T), "" });
    }

    /// A value made of a string by a function parse of its type, which also has explain for the errors.
    fn parsed(r: *Reader, comptime T: type, to: *T) Error!void {
        const start = r.at;
        const text = try r.string();
        to.* = T.parse(text) catch |err| return r.wrongString(start, T.explain(err));
    }

    /// The elements are counted first, so that they stand next to each other.
    fn array(r: *Reader, comptime T: type, comptime limits: Limits) Error![]T {
        const start = r.at;
        var ahead = r.*;
        const list = try r.reserve(T, try ahead.elements(T));
        var n: usize = 0;
        if (!r.take('[')) return r.want("an array");
        while (try r.more(']', &n)) try r.element(T, &list[n - 1]);
        if (list.len >= limits.least and list.len <= limits.most) return list;
        return r.wrongString(start, "want an array of length" ++ comptime limits.text());
    }

    fn elements(r: *Reader, comptime T: type) Error!usize {
        var n: usize = 0;
        var one: T = undefined;
        if (!r.take('[')) return 0; // array says so
        while (r.more(']', &n) catch return n) r.element(T, &one) catch return n;
        return n;
    }

    fn element(r: *Reader, comptime T: type, to: *T) Error!void {
        _ = r.peek();
        if (@typeInfo(T) == .Struct) to.* = .{};
        return r.value(T, to, comptime Limits.of(struct {}, ""));
    }

    fn boolean(r: *Reader) Error!bool {
        if (r.word("true")) return true;
        if (r.word("false")) return false;
        return r.want("true or false");
    }

    fn integer(r: *Reader, comptime T: type, comptime limits: Limits) Error!T {
        const start = r.at;
        const v = try r.number(limits);
        if (v == @trunc(v)) return @intFromFloat(v);
        r.at = start;
        return r.want("a whole number" ++ comptime limits.text());
    }

    fn number(r: *Reader, comptime limits: Limits) Error!f64 {
        const start = r.at;
        const v = try r.decimalNumber();
        if (v >= limits.least and v <= limits.most) return v;
        r.at = start;
        return r.want("a number" ++ comptime limits.text());
    }

    /// A number without an exponent, of up to 15 digits before the point and behind it.
    noinline fn decimalNumber(r: *Reader) Error!f64 {
        const negative = r.take('-');
        var v: f64 = 0;
        const whole = r.digits(&v);
        if (whole == 0) return r.want("a number");
        if (whole > 15 or (whole > 1 and r.text[r.at - whole] == '0')) return r.wrongString(r.at - whole, "want another number");
        if (r.word(".")) {
            var fraction = r.digits(&v);
            if (fraction == 0 or fraction > 15) return r.want("up to 15 digits behind the point");
            var unit: f64 = 1;
            while (fraction > 0) : (fraction -= 1) unit *= 10;
            v /= unit;
        }
        return if (negative) -v else v;
    }

    /// Adds digits to v and returns how many there were.
    noinline fn digits(r: *Reader, v: *f64) usize {
        const start = r.at;
        while (r.at < r.text.len and r.text[r.at] -% '0' < 10) : (r.at += 1) {
            v.* = v.* * 10 + @as(f64, @floatFromInt(r.text[r.at] - '0'));
        }
        return r.at - start;
    }

    fn shortString(r: *Reader, comptime limits: Limits) Error![]u8 {
        const start = r.at;
        const s = try r.string();
        if (s.len >= limits.least and s.len <= limits.most) return s;
        return r.wrongString(start, "want a string of length" ++ comptime limits.text());
    }

    /// Its bytes need not be UTF-8.
    noinline fn string(r: *Reader) Error![]u8 {
        if (!r.take('"')) return r.want("a string");
        const begin = r.at - 1;
        const start = r.used;
        while (true) {
            const c = r.next();
            if (c < ' ') return r.wrongString(begin, "string without an end");
            if (c == '"') return memory[start..r.used];
            if (c == '\\') try r.escape() else (try r.reserve(u8, 1))[0] = c;
        }
    }

    fn escape(r: *Reader) Error!void {
        const c = r.next();
        if (c == 'u') return r.rune();
        const byte: u8 = switch (c) {
            '"', '\\', '/' => c,
            'b' => 8,
            'f' => 12,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            else => return r.wrongString(r.at, "bad escape in a string"),
        };
        (try r.reserve(u8, 1))[0] = byte;
    }

    /// Reads what follows \u, with the second half of a surrogate pair.
    fn rune(r: *Reader) Error!void {
        var c = try r.hex();
        if (c >> 10 == 0xd800 >> 10 and r.word("\\u")) {
            const low = try r.hex();
            if (low >> 10 != 0xdc00 >> 10) return r.wrongString(r.at, "half a surrogate pair in a string");
            c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
        }
        const n = std.unicode.utf8CodepointSequenceLength(c) catch return r.wrongString(r.at, "bad escape in a string");
        _ = std.unicode.utf8Encode(c, try r.reserve(u8, n)) catch return r.wrongString(r.at, "half a surrogate pair in a string");
    }

    fn hex(r: *Reader) Error!u21 {
        var v: u21 = 0;
        for (0..4) |_| {
            const digit = std.fmt.charToDigit(r.next(), 16) catch return r.wrongString(r.at, "bad escape in a string");
            v = v << 4 | digit;
        }
        return v;
    }

    /// Takes n elements of the memory.
    noinline fn reserve(r: *Reader, comptime T: type, n: usize) Error![]T {
        const start = std.mem.alignForward(usize, r.used, @alignOf(T));
        if (n > (max_memory -| start) / @sizeOf(T)) return r.wrongString(r.at, "the configuration is too long");
        r.used = start + n * @sizeOf(T);
        const list: [*]T = @ptrCast(@alignCast(memory[start..].ptr));
        return list[0..n];
    }

    /// Steps to the next of an object's or array's elements, of which there were n, or over the byte that ends it.
    noinline fn more(r: *Reader, end: u8, n: *usize) Error!bool {
        if (r.take(end)) return false;
        if (n.* > 0 and !r.take(',')) return r.want("a comma or the end");
        n.* += 1;
        return true;
    }

    /// Steps over white space and returns the next byte without taking it, or 0 at the end.
    noinline fn peek(r: *Reader) u8 {
        while (r.at < r.text.len) : (r.at += 1) {
            switch (r.text[r.at]) {
                ' ', '\t', '\n', '\r' => {},
                else => |c| return c,
            }
        }
        return 0;
    }

    /// Takes the next byte, which is 0 at the end.
    noinline fn next(r: *Reader) u8 {
        if (r.at == r.text.len) return 0;
        r.at += 1;
        return r.text[r.at - 1];
    }

    /// Takes the next byte behind white space if it is c.
    noinline fn take(r: *Reader, c: u8) bool {
        if (r.peek() != c) return false;
        r.at += 1;
        return true;
    }

    /// Takes the next bytes if they are these.
    noinline fn word(r: *Reader, bytes: []const u8) bool {
        if (!std.mem.startsWith(u8, r.text[r.at..], bytes)) return false;
        r.at += bytes.len;
        return true;
    }
};

/// As much of a text as an error should quote.
fn plain(text: []const u8) []const u8 {
    for (text) |c| if (c < ' ' or c > '~') return "?";
    return text[0..@min(text.len, 40)];
}

/// The names of a struct's fields: a, b or c.
fn names(comptime T: type) []const u8 {
    const fields = @typeInfo(T).Struct.fields;
    comptime var all: []const u8 = "";
    inline for (fields, 0..) |f, i| {
        all = all ++ (if (i == 0) "" else if (i == fields.len - 1) " or " else ", ") ++ f.name;
    }
    return all;
}
