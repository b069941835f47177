package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/internal/testserver"
	"github.com/edgecache/edgecache/plugins/signing"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

// workplace is a folder with a plugin in it, and without Docker's credentials.
type workplace struct {
	*testing.T
	dir string
	env map[string]string
}

func newWorkplace(t *testing.T) *workplace {
	t.Helper()
	w := &workplace{t, t.TempDir(), nil}
	w.env = map[string]string{"DOCKER_CONFIG": w.dir}
	wasm, _, _ := examples.Lookup("hitratio")
	w.write("hitratio.wasm", wasm)
	return w
}

func (w *workplace) path(name string) string { return filepath.Join(w.dir, name) }

func (w *workplace) write(name string, data []byte) {
	w.Helper()
	if err := os.WriteFile(w.path(name), data, 0o600); err != nil {
		w.Fatal(err)
	}
}

func (w *workplace) read(name string) []byte {
	w.Helper()
	b, err := os.ReadFile(w.path(name))
	if err != nil {
		w.Fatal(err)
	}
	return b
}

func (w *workplace) names() string {
	w.Helper()
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		w.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// plugin runs "edgecache plugin" with words, of which those with a slash at the front are files of the workplace.
func (w *workplace) plugin(stdin string, words ...string) result {
	w.Helper()
	args := []string{"plugin"}
	for _, word := range words {
		if name, ok := strings.CutPrefix(word, "/"); ok {
			word = w.path(name)
		}
		args = append(args, word)
	}
	return edgecache(w.T, w.env, stdin, args...)
}

// must runs "edgecache plugin" with -o json and returns what it printed.
func (w *workplace) must(words ...string) map[string]any {
	w.Helper()
	got := w.plugin("", append(words, "-o", "json")...)
	var v map[string]any
	if err := json.Unmarshal([]byte(got.out), &v); err != nil || got.code != 0 {
		w.Fatalf("edgecache plugin %q = %+v: %v", words, got, err)
	}
	return v
}

// refused runs "edgecache plugin", which must fail with a text and print nothing.
func (w *workplace) refused(code int, want string, words ...string) {
	w.Helper()
	if got := w.plugin("", words...); got.code != code || got.out != "" || !strings.Contains(got.errOut, want) {
		w.Errorf("edgecache plugin %q = %+v, want %d and %q", words, got, code, want)
	}
}

func TestPluginSignAndVerify(t *testing.T) {
	w := newWorkplace(t)
	key := w.must("keygen", "--key", "/a.pub", "--secret-key", "/a.key", "--no-password")["key_id"]
	w.must("keygen", "--key", "/b.pub", "--secret-key", "/b.key", "--no-password")
	if info, err := os.Stat(w.path("a.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("secret key: %v, %v; want nobody else to read it", info.Mode(), err)
	}
	w.refused(1, "file exists", "keygen", "--key", "/c.pub", "--secret-key", "/a.key", "--no-password")
	w.refused(1, "file exists", "keygen", "--key", "/a.pub", "--secret-key", "/c.key", "--no-password")
	w.refused(2, "--no-password is needed", "keygen", "--key", "/c.pub", "--secret-key", "/c.key")
	if got := w.names(); got != "a.key a.pub b.key b.pub hitratio.wasm" {
		t.Errorf("there are %s", got)
	}

	if got := w.plugin("", "sign", "/hitratio.wasm", "--secret-key", "/a.key"); got != (result{0, w.path("hitratio.wasm.minisig") + "\n", ""}) {
		t.Fatalf("sign = %+v", got)
	}
	v := w.must("verify", "/hitratio.wasm", "--key", "/a.pub")
	if comment, _ := v["comment"].(string); v["verdict"] != "ok" || v["key_id"] != key || !strings.Contains(comment, "file:hitratio.wasm") {
		t.Errorf("verify = %v, want ok by %v", v, key)
	}
	w.must("sign", "/hitratio.wasm", "--secret-key", "/b.key", "--signature", "/other.minisig", "--comment", "release 2")
	if v := w.must("verify", "/hitratio.wasm", "--key", "/b.pub", "--signature", "/other.minisig"); v["comment"] != "release 2" {
		t.Errorf("verify = %v, want the comment", v)
	}
	if got := w.plugin("", "verify", "/hitratio.wasm", "--key", "/a.pub"); got.code != 0 || !strings.HasPrefix(got.out, "ok: signed by ") {
		t.Errorf("verify = %+v", got)
	}

	w.refused(2, "--key is missing", "verify", "/hitratio.wasm")
	w.refused(1, "another key's", "verify", "/hitratio.wasm", "--key", "/b.pub")
	w.refused(1, "no such file", "verify", "/hitratio.wasm", "--key", "/c.pub")
	w.refused(1, "no such file", "verify", "/hitratio.wasm", "--key", "/a.pub", "--signature", "/c.minisig")
	w.refused(1, "public key", "verify", "/hitratio.wasm", "--key", "/a.key")
	w.refused(2, "--secret-key is missing", "sign", "/hitratio.wasm")
	w.refused(1, "secret key", "sign", "/hitratio.wasm", "--secret-key", "/a.pub")
	w.refused(1, "one line", "sign", "/hitratio.wasm", "--secret-key", "/a.key", "--comment", "a\nb")
	w.refused(1, "is no WebAssembly module", "sign", "/a.pub", "--secret-key", "/a.key")

	w.write("hitratio.wasm.json", []byte("{}"))
	w.refused(1, "put it into the module before signing", "verify", "/hitratio.wasm", "--key", "/a.pub")
	w.refused(1, "put it into the module before signing", "sign", "/hitratio.wasm", "--secret-key", "/a.key")
	if err := os.Remove(w.path("hitratio.wasm.json")); err != nil {
		t.Fatal(err)
	}
	bare := []byte(withoutManifest(t, w.read("hitratio.wasm")))
	w.write("bare.wasm", bare)
	w.write("manifest.json", []byte(`{"name":"x","version":"1","abi":"hook/1","hooks":["observe"],"ops":["get"]}`))
	w.refused(1, "has no manifest", "sign", "/bare.wasm", "--secret-key", "/a.key")
	w.write("bare.wasm.minisig", signedBy(t, w.read("a.key"), bare))
	w.refused(1, "put it into the module before signing", "verify", "/bare.wasm", "--key", "/a.pub")
	w.refused(1, "put it into the module before signing", "push", "/bare.wasm", "127.0.0.1:1/x:1")

	w.write("hitratio.wasm", append(w.read("hitratio.wasm"), 0))
	w.refused(1, "does not fit", "verify", "/hitratio.wasm", "--key", "/a.pub")
	got := w.plugin("", "verify", "/hitratio.wasm", "--key", "/a.pub", "-o", "json")
	var refusal verdict
	if err := json.Unmarshal([]byte(got.out), &refusal); err != nil || got.code != 1 || refusal.Verdict != "refused" || refusal.Reason == "" {
		t.Errorf("verify -o json of a changed file = %+v", got)
	}
}

// signedBy signs a module with a key that is not encrypted, whatever the module is.
func signedBy(t *testing.T, key, module []byte) []byte {
	t.Helper()
	secret, err := signing.ParseSecretKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := secret.Sign(module, "test")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestPluginKeygenEncrypts signs with minisign and a secret key that was encrypted here.
func TestPluginKeygenEncrypts(t *testing.T) {
	minisign, err := exec.LookPath("minisign")
	if err != nil {
		if os.Getenv("EDGECACHE_REQUIRE_SERVERS") == "1" {
			t.Fatal(err)
		}
		t.Skipf("%v: run \"make tools\"", err)
	}
	w := newWorkplace(t)
	if got := w.plugin("", "keygen", "--password-stdin", "--key", "/a.pub", "--secret-key", "/a.key"); got.code != 2 {
		t.Errorf("without a password: %+v", got)
	}
	if got := w.plugin("secret\n", "keygen", "--password-stdin", "--key", "/a.pub", "--secret-key", "/a.key"); got.code != 0 {
		t.Fatal(got)
	}
	w.refused(2, "give --password-stdin", "sign", "/hitratio.wasm", "--secret-key", "/a.key")
	cmd := exec.Command(minisign, "-S", "-s", w.path("a.key"), "-m", w.path("hitratio.wasm"))
	cmd.Stdin = strings.NewReader("secret\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("minisign: %v: %s", err, out)
	}
	w.must("verify", "/hitratio.wasm", "--key", "/a.pub")
}

func TestPluginPushAndPull(t *testing.T) {
	registry := testserver.Registry(t, "")
	w := newWorkplace(t)
	w.must("keygen", "--key", "/a.pub", "--secret-key", "/a.key", "--no-password")
	w.must("keygen", "--key", "/b.pub", "--secret-key", "/b.key", "--no-password")
	original := w.read("hitratio.wasm")
	repository := registry.Addr() + "/plugins/hitratio"

	unsigned := w.must("push", "/hitratio.wasm", repository+":1", "--plain-http")
	if reference, _ := unsigned["reference"].(string); !strings.HasPrefix(reference, repository+"@sha256:") ||
		unsigned["tag"] != repository+":1" || unsigned["name"] != "hitratio" || unsigned["signed"] != false {
		t.Errorf("push = %v", unsigned)
	}
	w.refused(1, "is not signed", "push", "/hitratio.wasm", repository+":1", "--plain-http", "--key", "/a.pub")
	w.refused(1, "is not signed: nothing was written", "pull", repository+":1", "--plain-http", "--to", "/new.wasm", "--key", "/a.pub")
	w.must("sign", "/hitratio.wasm", "--secret-key", "/a.key")
	w.refused(1, "another key's", "push", "/hitratio.wasm", repository+":1", "--plain-http", "--key", "/b.pub")
	signed := w.must("push", "/hitratio.wasm", repository+":1", "--plain-http", "--key", "/a.pub")
	if signed["signed"] != true || signed["reference"] == unsigned["reference"] {
		t.Errorf("push = %v after %v", signed, unsigned)
	}
	reference, _ := signed["reference"].(string)
	if got := w.plugin("", "push", "/hitratio.wasm", repository+":1", "--plain-http"); got != (result{0, reference + "\n", ""}) {
		t.Errorf("push = %+v, want the reference", got)
	}

	before := w.names()
	w.refused(1, "another key's", "pull", repository+":1", "--plain-http", "--to", "/new.wasm", "--key", "/b.pub")
	w.refused(1, "no such file", "pull", repository+":1", "--plain-http", "--to", "/absent/new.wasm")
	w.refused(1, "not found", "pull", repository+":2", "--plain-http", "--to", "/new.wasm")
	if got := w.names(); got != before {
		t.Errorf("there are %s, want nothing new beside %s", got, before)
	}
	pulled := w.must("pull", reference, "--plain-http", "--to", "/new.wasm", "--key", "/a.pub")
	if pulled["reference"] != reference || pulled["verified"] != true || pulled["name"] != "hitratio" || pulled["file"] != w.path("new.wasm") {
		t.Errorf("pull = %v", pulled)
	}
	if !bytes.Equal(w.read("new.wasm"), original) {
		t.Error("what was pulled is not what was pushed")
	}
	w.must("verify", "/new.wasm", "--key", "/a.pub")
	if got := w.names(); got != before+" new.wasm new.wasm.minisig" {
		t.Errorf("there are %s, want the plugin and its signature beside %s", got, before)
	}

	w.write("new.wasm.json", []byte("{}"))
	w.refused(1, "it would win over the manifest in the module", "pull", repository+":1", "--plain-http", "--to", "/new.wasm")
}

// TestPluginManifestBeside pushes a plugin whose manifest is not in the module.
func TestPluginManifestBeside(t *testing.T) {
	registry := testserver.Registry(t, "")
	w := newWorkplace(t)
	w.must("keygen", "--key", "/a.pub", "--secret-key", "/a.key", "--no-password")
	w.must("sign", "/hitratio.wasm", "--secret-key", "/a.key")
	manifest, _, err := hostabi.ReadManifest(w.read("hitratio.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	beside := bytes.Replace(manifest, []byte(`"hitratio"`), []byte(`"mine"`), 1)
	w.write("hitratio.wasm.json", beside)
	reference := registry.Addr() + "/mine:1"
	w.refused(1, "put it into the module before signing", "push", "/hitratio.wasm", reference, "--plain-http")
	if err := os.Remove(w.path("hitratio.wasm.minisig")); err != nil {
		t.Fatal(err)
	}
	if v := w.must("push", "/hitratio.wasm", reference, "--plain-http"); v["name"] != "mine" {
		t.Errorf("push = %v, want the name in the manifest beside", v)
	}
	w.must("pull", reference, "--plain-http", "--to", "/new.wasm")
	if !bytes.Equal(w.read("new.wasm.json"), beside) || !bytes.Equal(w.read("new.wasm"), w.read("hitratio.wasm")) {
		t.Error("what was pulled is not what was pushed")
	}
}

func TestPluginRegistryMistakes(t *testing.T) {
	w := newWorkplace(t)
	w.write("empty.wasm", nil)
	w.refused(1, "module ends within its header", "push", "/empty.wasm", "localhost:1/x:1", "--plain-http")
	w.refused(1, "no such file", "push", "/absent.wasm", "localhost:1/x:1", "--plain-http")
	w.refused(1, "no such file", "push", "/hitratio.wasm", "localhost:1/x:1", "--plain-http", "--signature", "/absent")
	w.refused(2, "names no tag", "push", "/hitratio.wasm", "localhost:1/x@sha256:"+strings.Repeat("0", 64), "--plain-http")
	w.refused(2, "REGISTRY/REPOSITORY:TAG", "pull", "hitratio", "--plain-http")
	w.refused(2, "belong together", "pull", "localhost:1/x:1", "--username", "ann")
	w.refused(2, "has no password", "pull", "localhost:1/x:1", "--username", "ann", "--password-stdin")
	w.refused(1, "plain HTTP is only for registries on this machine", "pull", "registry.example/x:1", "--plain-http")
	w.refused(1, "connection refused", "pull", "localhost:1/x:1", "--plain-http")
	w.refused(2, `unknown command "frob"`, "frob")
	if registry := testserver.Registry(t, ""); registry != nil {
		w.refused(1, "there is --plain-http", "pull", registry.Addr()+"/x:1")
	}
}
