package resp

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// redisVersion is the Redis whose commands and replies these are.
const redisVersion = "7.0.15"

// info is INFO [section ...].
func info(ctx context.Context, c *conn, args [][]byte) {
	wanted := map[string]bool{}
	for _, word := range args[1:] {
		wanted[strings.ToLower(string(word))] = true
	}
	all := len(args) == 1 || wanted["all"] || wanted["everything"] || wanted["default"]
	c.verbatim(c.server.info(ctx, func(name string) bool { return all || wanted[strings.ToLower(name)] }))
}

// info returns the sections that are wanted.
func (s *Server) info(ctx context.Context, wanted func(string) bool) string {
	sections := []struct {
		name   string
		fields func(ctx context.Context) []InfoField
	}{
		{"Server", s.serverInfo},
		{"Clients", s.clientsInfo},
		{"Memory", s.memoryInfo},
		{"Persistence", func(context.Context) []InfoField { return []InfoField{{"loading", "0"}} }},
		{"Stats", s.statsInfo},
		{"Replication", func(context.Context) []InfoField {
			return []InfoField{{"role", "master"}, {"connected_slaves", "0"}}
		}},
		{"Cluster", func(context.Context) []InfoField { return []InfoField{{"cluster_enabled", "0"}} }},
		{"Keyspace", s.keyspaceInfo},
	}
	var b strings.Builder
	for _, section := range sections {
		if wanted(section.name) {
			writeSection(&b, InfoSection{section.name, section.fields(ctx)})
		}
	}
	if s.opts.Info == nil {
		return b.String()
	}
	for _, section := range s.opts.Info() {
		if wanted(section.Name) {
			writeSection(&b, section)
		}
	}
	return b.String()
}

func writeSection(b *strings.Builder, s InfoSection) {
	if b.Len() > 0 {
		b.WriteString("\r\n")
	}
	b.WriteString("# " + s.Name + "\r\n")
	for _, f := range s.Fields {
		b.WriteString(f.Name + ":" + f.Value + "\r\n")
	}
}

func number[T int | int64 | uint64](n T) string { return strconv.FormatInt(int64(n), 10) }

func (s *Server) serverInfo(context.Context) []InfoField {
	up := time.Since(s.started)
	fields := []InfoField{
		{"redis_version", redisVersion},
		{"redis_mode", "standalone"},
		{"os", runtime.GOOS + " " + runtime.GOARCH},
		{"arch_bits", number(strconv.IntSize)},
		{"go_version", runtime.Version()},
		{"process_id", number(os.Getpid())},
		{"server_time_usec", number(time.Now().UnixMicro())},
		{"uptime_in_seconds", number(int64(up.Seconds()))},
		{"uptime_in_days", number(int64(up.Hours() / 24))},
	}
	if s.opts.Version != "" {
		fields = append(fields, InfoField{"edgecache_version", s.opts.Version})
	}
	return fields
}

func (s *Server) clientsInfo(context.Context) []InfoField {
	return []InfoField{
		{"connected_clients", number(s.Stats().Connections)},
		{"maxclients", number(s.maxClients.Load())},
		{"blocked_clients", "0"},
	}
}

func (s *Server) memoryInfo(context.Context) []InfoField {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(samples)
	own, redis := s.evictionPolicy()
	return []InfoField{
		{"used_memory", number(samples[0].Value.Uint64())},
		{"used_memory_rss", number(samples[1].Value.Uint64())},
		{"used_memory_dataset", number(s.held())},
		{"maxmemory", number(s.opts.MaxMemory)},
		{"maxmemory_policy", redis},
		{"eviction_policy", own},
	}
}

// held returns the bytes that local tiers hold.
func (s *Server) held() (n int64) {
	for _, t := range s.cache.Stats().Tiers {
		n += max(t.Bytes, 0)
	}
	return n
}

func (s *Server) statsInfo(context.Context) []InfoField {
	stats, cache := s.Stats(), s.cache.Stats()
	evicted := int64(0)
	for _, t := range cache.Tiers {
		evicted += max(t.Evictions, 0)
	}
	return []InfoField{
		{"total_connections_received", number(stats.Accepted)},
		{"total_commands_processed", number(stats.Commands)},
		{"rejected_connections", number(stats.Refused)},
		{"evicted_keys", number(evicted)},
		{"keyspace_hits", number(cache.Hits)},
		{"keyspace_misses", number(cache.Misses)},
		{"protocol_errors", number(stats.ProtocolErrors)},
		{"killed_connections", number(stats.Killed)},
	}
}

// keyspaceInfo counts the keys, which may ask the farthest tier. An empty cache and a failing tier have no line.
func (s *Server) keyspaceInfo(ctx context.Context) []InfoField {
	n, err := s.cache.Len(ctx)
	if err != nil || n == 0 {
		return nil
	}
	return []InfoField{{"db0", fmt.Sprintf("keys=%d,expires=0,avg_ttl=0", n)}}
}
