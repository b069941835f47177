package resp

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// serverVariable makes the test binary a server of its own, whose memory can be measured.
const serverVariable = "EDGECACHE_TEST_RESP_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		if err := serveUntilEOF(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// serveUntilEOF prints its address and serves until standard input ends.
func serveUntilEOF() error {
	backend, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		return err
	}
	cache, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: backend}}})
	if err != nil {
		return err
	}
	s, err := New(cache, Options{})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go s.Serve(ln)
	fmt.Println(ln.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// TestIdleConnections measures what connections cost a server that have executed a command each and wait.
func TestIdleConnections(t *testing.T) {
	if testing.Short() || race || runtime.GOOS != "linux" {
		t.Skip("measures resident memory")
	}
	const n, limit = 2500, 8 << 10
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serverVariable+"=1")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer stdin.Close()
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	connect := func(n int) {
		for i := range n {
			nc, err := net.Dial("tcp", strings.TrimSpace(addr))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { nc.Close() })
			if _, err := nc.Write(encode("GET", "key:"+strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(nc, make([]byte, len("$-1\r\n"))); err != nil {
				t.Fatal(err)
			}
		}
	}
	connect(100) // so that the code is in memory
	before := resident(t, server.Process.Pid)
	connect(n)
	per := (resident(t, server.Process.Pid) - before) / n
	t.Logf("%d bytes for each idle connection", per)
	if per > limit {
		t.Errorf("an idle connection costs %d bytes, at most %d are allowed", per, limit)
	}
}

// resident returns a process's resident memory in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
