package trace_test

import (
	"bufio"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/internal/testserver"
)

// watch has a server tell what it does, and returns that many lines of it behind the reply, after say was said to it.
func watch(t *testing.T, addr, command string, lines int, say ...string) string {
	t.Helper()
	watcher, client := dial(t, addr), dial(t, addr)
	told, answers := bufio.NewReader(watcher), bufio.NewReader(client)
	send := func(conn io.Writer, reader *bufio.Reader, line string) string {
		if _, err := io.WriteString(conn, line); err != nil {
			t.Fatal(err)
		}
		answer, err := reader.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	text := send(watcher, told, command+"\r\n")
	for _, line := range say {
		send(client, answers, line)
	}
	for range lines {
		line, err := told.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after\n%s", err, text)
		}
		text += line
	}
	return text
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestMonitorOfARealRedis(t *testing.T) {
	s := testserver.Redis(t)
	source := watch(t, s.Addr(), "MONITOR", 6,
		"SET a hello EX 60\r\n", "GET a\r\n", "PING\r\n", "EVAL \"return redis.call('get',KEYS[1])\" 1 b\r\n", "DEL a b\r\n")
	got, r, err := read(source, "t", trace.Options{})
	if err != nil || r.Format() != "monitor" {
		t.Fatalf("%v in\n%s", err, source)
	}
	if !slices.Equal(got.IDs, []uint32{0, 0, 1, 0, 1}) || !slices.Equal(got.Ops, []trace.Op{set, get, get, del, del}) ||
		got.Sizes[0] != 6 || got.TTLs[0] != 60 {
		t.Errorf("read = %+v of\n%s", got, source)
	}
}

func TestWatchOfARealMemcached(t *testing.T) {
	s := testserver.Memcached(t)
	source := watch(t, s.Addr(), "watch fetchers mutations", 5,
		"get foo\r\n", "set foo 0 60 5\r\nhello\r\n", "mg foo\r\n", "get bar\r\n")
	got, r, err := read(source, "t", trace.Options{})
	if err != nil || r.Format() != "memcached" {
		t.Fatalf("%v in\n%s", err, source)
	}
	if !slices.Equal(got.IDs, []uint32{0, 0, 0, 1}) || !slices.Equal(got.Ops, []trace.Op{get, set, get, get}) ||
		!slices.Equal(got.Sizes, []uint32{0, 8, 8, 0}) || got.TTLs[1] != 60 || strings.Count(source, "item_get") != 4 {
		t.Errorf("read = %+v of\n%s", got, source)
	}
}
