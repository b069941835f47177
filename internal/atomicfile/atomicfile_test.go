package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// content returns what is in the files of a folder, by name. A folder in it is "/".
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, e := range entries {
		if e.IsDir() {
			all[e.Name()] = "/"
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func TestStream(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	full := errors.New("no room")
	for _, tt := range []struct {
		write func(io.Writer) error
		err   error
		want  string
	}{
		{func(w io.Writer) error { _, err := io.WriteString(w, "one"); return err }, nil, "one"},
		{func(w io.Writer) error { _, _ = io.WriteString(w, "two"); return full }, full, "one"},
		{func(io.Writer) error { return nil }, nil, ""},
	} {
		if err := Stream(path, 0o640, tt.write); !errors.Is(err, tt.err) {
			t.Errorf("Stream = %v, want %v", err, tt.err)
		}
		if got := content(t, dir); !maps.Equal(got, map[string]string{"file": tt.want}) {
			t.Errorf("there is %q, want %q", got, tt.want)
		}
	}
	if err := Stream(filepath.Join(dir, "absent", "file"), 0o640, func(io.Writer) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no folder: %v", err)
	}
}

func TestWrite(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files []string // each with its name as its content
		fails bool
		want  map[string]string
	}{
		{"a new one", []string{"new"}, false, map[string]string{"old": "before", "folder": "/", "new": "new"}},
		{"in place of another", []string{"old"}, false, map[string]string{"old": "old", "folder": "/"}},
		{"several", []string{"a", "old", "b"}, false, map[string]string{"old": "old", "folder": "/", "a": "a", "b": "b"}},
		{"in no folder", []string{"absent/a"}, true, map[string]string{"old": "before", "folder": "/"}},
		{"none if one can't be", []string{"a", "old", "absent/b"}, true, map[string]string{"old": "before", "folder": "/"}},
		{"in place of a folder", []string{"folder"}, true, map[string]string{"old": "before", "folder": "/"}},
		{"none after one that has no place", []string{"a", "folder", "old"}, true, map[string]string{"old": "before", "folder": "/", "a": "a"}},
	} {
		for how, write := range map[string]func([]File) error{
			"WriteAll": func(files []File) error { return WriteAll(files...) },
			"Write":    func(files []File) error { return Write(files[0]) },
		} {
			if how == "Write" && len(tt.files) > 1 {
				continue
			}
			dir := t.TempDir()
			if err := errors.Join(os.WriteFile(filepath.Join(dir, "old"), []byte("before"), 0o600), os.Mkdir(filepath.Join(dir, "folder"), 0o700)); err != nil {
				t.Fatal(err)
			}
			var files []File
			for _, name := range tt.files {
				files = append(files, File{filepath.Join(dir, name), []byte(name), 0o640})
			}
			if err := write(files); (err != nil) != tt.fails {
				t.Errorf("%s: %s: error %v", how, tt.name, err)
			}
			if got := content(t, dir); !maps.Equal(got, tt.want) {
				t.Errorf("%s: %s: there is %q, want %q", how, tt.name, got, tt.want)
			}
			if info, err := os.Stat(files[0].Path); !tt.fails && (err != nil || info.Mode() != 0o640) {
				t.Errorf("%s: %s: mode %v, %v", how, tt.name, info.Mode(), err)
			}
		}
	}
	if err := Write(File{Path: filepath.Join(t.TempDir(), "absent", "a")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Write = %v, want %v", err, fs.ErrNotExist)
	}
}
