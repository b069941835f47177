package testserver_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/internal/testserver"
)

func TestRedisLifeCycle(t *testing.T) {
	s := testserver.Redis(t, "--maxmemory", "10mb")
	cl := redis.NewClient(&redis.Options{Addr: s.Addr(), ReadTimeout: 50 * time.Millisecond, MaxRetries: -1})
	t.Cleanup(func() { _ = cl.Close() })
	ping := func() error { return cl.Ping(t.Context()).Err() }
	if got := cl.ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; got != "10485760" {
		t.Errorf("maxmemory = %q, want the argument's 10 MiB", got)
	}
	must(t, s.Pause())
	if ping() == nil {
		t.Error("a paused server answered")
	}
	must(t, s.Resume())
	must(t, ping())
	pid, addr := s.Pid(), s.Addr()
	must(t, s.Kill())
	if ping() == nil || s.Pid() != 0 {
		t.Error("a killed server answered")
	}
	must(t, s.Restart(t.Context()))
	must(t, ping())
	if s.Pid() == pid || s.Addr() != addr {
		t.Errorf("after Restart pid %d at %s, want a new pid at %s", s.Pid(), s.Addr(), addr)
	}
	must(t, s.Stop())
	must(t, s.Stop())
	if _, err := os.Stat(s.Dir()); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestRegistry(t *testing.T) {
	s := testserver.Registry(t, "health: {storagedriver: {enabled: true}}\n")
	answer, err := http.Get(s.URL() + "/v2/")
	must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Docker-Distribution-Api-Version") != "registry/2.0" {
		t.Errorf("GET /v2/ = %s, %v, want a registry's answer", answer.Status, answer.Header)
	}
}

func TestMemcached(t *testing.T) {
	s := testserver.Memcached(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("set a 0 0 1\r\nx\r\n"))
	must(t, err)
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "STORED\r\n" {
		t.Errorf("set = %q, %v, want STORED", line, err)
	}
}

func TestRedisCluster(t *testing.T) {
	c := testserver.RedisCluster(t, 3)
	cl := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs()[:1]})
	t.Cleanup(func() { _ = cl.Close() })
	for i := range 50 {
		must(t, cl.Set(t.Context(), strconv.Itoa(i), i, 0).Err())
	}
}

func TestRedisSentinel(t *testing.T) {
	s := testserver.RedisSentinel(t)
	cl := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: s.Name, SentinelAddrs: []string{s.Sentinels[0].Addr()}})
	t.Cleanup(func() { _ = cl.Close() })
	must(t, cl.Set(t.Context(), "a", 1, 0).Err())
}

// TestServersDieWithTheirParent runs this test binary again, which starts one server of each kind and waits, and kills it.
func TestServersDieWithTheirParent(t *testing.T) {
	if os.Getenv("TESTSERVER_CHILD") == "1" {
		r, m := testserver.Redis(t), testserver.Memcached(t)
		_, _ = os.Stdout.WriteString(strconv.Itoa(r.Pid()) + " " + strconv.Itoa(m.Pid()) + "\n")
		<-t.Context().Done()
		return
	}
	testserver.Redis(t)
	testserver.Memcached(t) // skips here where a program is missing
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServersDieWithTheirParent$")
	cmd.Env = append(os.Environ(), "TESTSERVER_CHILD=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	for field := range strings.FieldsSeq(line) {
		pid, err := strconv.Atoi(field)
		must(t, err)
		waitGone(t, pid)
	}
}

func waitGone(t *testing.T, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for syscall.Kill(pid, 0) == nil && !zombie(pid) {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("process %d is still there", pid)
		}
	}
}

// zombie reports whether the process has ended and only waits to be collected, which is up to the system's init.
func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
