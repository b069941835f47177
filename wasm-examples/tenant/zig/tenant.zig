//! tenant gives every tenant a namespace, and counts and limits what it does. See ../README.md.

const ec = @import("edgecache");

comptime {
    ec.plugin(@This());
}

pub const panic = ec.panic;

const max_tenant = 256;

const Config = struct {
    window_ms: u32 = 60_000,
    limit: u64 = 0,

    pub const limits = .{ .limit = .{ 0, 1_000_000_000_000 }, .window_ms = .{ 1, 86_400_000 } };
};

var conf = Config{};

const Row = extern struct { label: u64, admitted: u64, over_limit: u64, nameless: u64 };

var rows = [1]Row{.{ .label = ec.label(0, ec.namespace_all), .admitted = 0, .over_limit = 0, .nameless = 0 }};

pub fn init(text: []const u8, _: u64) ?[]const u8 {
    return ec.config.read(text, &conf);
}

pub fn before(call: ec.Call) ec.Action {
    const tenant = nameOf(call.key);
    if (tenant.len == 0 or tenant.len > max_tenant) {
        rows[0].nameless += 1;
        return ec.deny(if (tenant.len == 0) "no tenant in the key" else "the tenant's name is longer than 256 bytes");
    }
    const used = ec.kvAdd(tenant, 1, conf.window_ms) catch null;
    if (conf.limit > 0 and (used == null or used.? > conf.limit)) {
        rows[0].over_limit += 1;
        return if (used == null) ec.deny("too many tenants to count") else overLimit();
    }
    rows[0].admitted += 1;
    return move(call.key, tenant);
}

/// One row, of all operations in all namespaces.
pub fn stats() []const Row {
    return &rows;
}

/// What stands before the first colon, nothing where there is none.
fn nameOf(key: []const u8) []const u8 {
    for (key, 0..) |c, i| {
        if (c == ':') return key[0..i];
    }
    return "";
}

/// Moves the key, without its tenant, to the tenant's namespace.
fn move(key: []const u8, tenant: []const u8) ec.Action {
    const outer = ec.namespace(key);
    var escaped: [3 * max_tenant]u8 = undefined;
    var list = ec.Patches{};
    list.add(ec.field_namespace, &.{ outer, if (outer.len > 0) "/tenants/" else "tenants/", escape(&escaped, tenant) });
    list.add(ec.field_key, &.{key[tenant.len + 1 ..]});
    return list.action();
}

/// The name as it stands in a namespace's path.
fn escape(to: *[3 * max_tenant]u8, name: []const u8) []const u8 {
    var n: usize = 0;
    for (name) |c| {
        const code: []const u8 = switch (c) {
            '/' => "%2F",
            '%' => "%25",
            else => &.{c},
        };
        ec.copy(to[n..][0..code.len], code);
        n += code.len;
    }
    return to[0..n];
}

fn overLimit() ec.Action {
    var limit: [20]u8 = undefined;
    var window: [20]u8 = undefined;
    return ec.deny(ec.message(&.{
        "over the limit of ", ec.decimal(&limit, conf.limit), " in ", ec.decimal(&window, conf.window_ms), " ms",
    }));
}
