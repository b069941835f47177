package files

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// version is a file's content: its number and lines that are all the same.
func version(file, n int) string {
	return fmt.Sprintf("%d\n", n) + strings.Repeat(fmt.Sprintf("file %d version %d\n", file, n), 100+n%7*50)
}

// TestHammer asks for files ten thousand times while they are edited and moved. No body is ever torn: every one is what its
// tag is a hash of, and of files that are replaced as a whole, one of their versions.
func TestHammer(t *testing.T) {
	const clients, requests, files = 8, 10_000, 4 // the last file is written in place
	var args []string
	for i := range files {
		args = append(args, fmt.Sprintf("d%d/f.txt", i), version(i, 0))
	}
	s := serve(t, Options{}, args...)
	edits := make(chan int, files) // what keeps the editors from having the machine to themselves
	var last [files]int
	var editors, readers sync.WaitGroup
	editors.Go(func() {
		for file := range edits {
			last[file]++
			edit(t, filepath.Join(s.folder, fmt.Sprintf("d%d", file), "f.txt"), version(file, last[file]), file == files-1)
		}
	})
	for client := range clients {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(client), 0))
			for range requests / clients {
				if r.IntN(8) == 0 {
					edits <- r.IntN(files)
				}
				file := r.IntN(files)
				coding := []string{"", "gzip", "br", "zstd"}[r.IntN(4)]
				s.checkUntorn(file, coding, file < files-1)
			}
		})
	}
	readers.Wait()
	close(edits)
	editors.Wait()
	for file := range files {
		for _, coding := range []string{"", "gzip", "br", "zstd"} {
			s.wait("the last version", func() bool {
				r := s.get(fmt.Sprintf("/d%d/f.txt", file), "Accept-Encoding", coding)
				return decode(t, r.Header.Get("Content-Encoding"), r.body) == version(file, last[file])
			})
		}
	}
	t.Logf("%v edits, %+v", last, s.Stats())
}

// edit writes a file in place, or replaces it as editors do.
func edit(t *testing.T, path, content string, inPlace bool) {
	to := path
	if !inPlace {
		to = path + ".tmp"
	}
	if err := os.WriteFile(to, []byte(content), 0o644); err != nil {
		t.Error(err)
	}
	if to == path {
		return
	}
	if err := os.Rename(to, path); err != nil {
		t.Error(err)
	}
}

// checkUntorn asks for a file and looks at what comes.
func (s *site) checkUntorn(file int, coding string, whole bool) {
	r := s.get(fmt.Sprintf("/d%d/f.txt", file), "Accept-Encoding", coding)
	if r.StatusCode != 200 {
		s.t.Errorf("file %d: status %d", file, r.StatusCode)
		return
	}
	if got := tag([]byte(r.body)); r.Header.Get("Etag") != got {
		s.t.Errorf("file %d as %q: ETag %s of a body whose hash is %s", file, coding, r.Header.Get("Etag"), got)
	}
	body := decode(s.t, r.Header.Get("Content-Encoding"), r.body)
	if !whole {
		return
	}
	var n int
	if _, err := fmt.Sscanf(body, "%d\n", &n); err != nil || body != version(file, n) {
		s.t.Errorf("file %d as %q: %d bytes, which are no version of it", file, coding, len(body))
	}
}
