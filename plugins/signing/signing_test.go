package signing

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func keys(t testing.TB) (PublicKey, SecretKey) {
	t.Helper()
	pub, sec, err := Generate("")
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := ParseSecretKey(sec, "")
	if err != nil {
		t.Fatal(err)
	}
	return public, secret
}

func sign(t testing.TB, k SecretKey, message string) []byte {
	t.Helper()
	s, err := k.Sign([]byte(message), "release 1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerify(t *testing.T) {
	public, secret := keys(t)
	other, _ := keys(t)
	good := sign(t, secret, "module")
	changed := func(from, to string) []byte { return bytes.Replace(good, []byte(from), []byte(to), 1) }
	for _, tt := range []struct {
		name      string
		key       PublicKey
		message   string
		signature []byte
		want      error // nil is good
	}{
		{"good", public, "module", good, nil},
		{"the untrusted comment may change", public, "module", changed("untrusted comment: sig", "untrusted comment: gis"), nil},
		{"another message", public, "modul", good, ErrForged},
		{"another key", other, "module", good, ErrOtherKey},
		{"another comment", public, "module", changed("release 1", "release 2"), ErrForged},
		{"a signature of another message", public, "module", sign(t, secret, "other"), ErrForged},
		{"cut", public, "module", good[:len(good)/2], ErrForm},
		{"empty", public, "module", nil, ErrForm},
	} {
		got, err := tt.key.Verify([]byte(tt.message), tt.signature)
		switch {
		case !errors.Is(err, tt.want):
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		case err == nil && got != (Signed{KeyID: public.ID(), Comment: "release 1"}):
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func TestCommentIsOneLine(t *testing.T) {
	_, secret := keys(t)
	if _, err := secret.Sign(nil, "a\ntrusted comment: b"); err == nil {
		t.Error("a comment of two lines was signed")
	}
}

func TestParseKeys(t *testing.T) {
	pub, sec, err := Generate("")
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Split(string(pub), "\n")[1]
	if _, err := ParsePublicKey([]byte(line)); err != nil {
		t.Errorf("the line of a public key alone: %v", err)
	}
	for name, text := range map[string][]byte{"empty": nil, "a secret key": sec, "cut": pub[:len(pub)-9], "words": []byte("no key")} {
		if _, err := ParsePublicKey(text); err == nil {
			t.Errorf("%s was taken for a public key", name)
		}
	}
	for name, text := range map[string][]byte{"empty": nil, "a public key": pub, "cut": sec[:len(sec)-9], "words": []byte("no key")} {
		if _, err := ParseSecretKey(text, ""); err == nil {
			t.Errorf("%s was taken for a secret key", name)
		}
	}
}

// encrypted is a secret key as minisign encrypts it with the password "pass", but for parameters that make a password
// cheap to try; encryptedPublic belongs to it.
const (
	encrypted = "untrusted comment: minisign encrypted secret key\n" +
		"RWRTY0IyAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AgAAAAAAAAAAAEAAAAAAADspKIB6dyZoWz8fIBrRJF8gXtR4DFhr/qDElhA9+RLfAsHwK" +
		"kW2rlNVYhgeVYP12LkeMwzNzIuHWMWJrZj1i8TyIbvMlSymhuRM7XgX8kV6H/Cmg/+BuKZcR3EgSaJ0iO6ZmHR4bk9A=\n"
	encryptedPublic = "RWS8+Kg8QRDrrQV70uuf8LqNWVmgbdj4Ft46OxgtVOIS+309R1d6KqOO"
)

func TestEncryptedKey(t *testing.T) {
	if _, err := ParseSecretKey([]byte(encrypted), ""); !errors.Is(err, ErrEncrypted) {
		t.Errorf("without a password: %v, want %v", err, ErrEncrypted)
	}
	if _, err := ParseSecretKey([]byte(encrypted), "word"); !errors.Is(err, ErrPassword) {
		t.Errorf("with another password: %v, want %v", err, ErrPassword)
	}
	secret, err := ParseSecretKey([]byte(encrypted), "pass")
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublicKey([]byte(encryptedPublic))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := public.Verify([]byte("module"), sign(t, secret, "module")); err != nil {
		t.Errorf("its signature: %v", err)
	}
}

// TestMinisign holds keys and signatures against those of minisign, each way.
func TestMinisign(t *testing.T) {
	program, err := exec.LookPath("minisign")
	if err != nil {
		if os.Getenv("EDGECACHE_REQUIRE_SERVERS") == "1" {
			t.Fatal(err)
		}
		t.Skipf("%v: run \"make tools\"", err)
	}
	dir := t.TempDir()
	run := func(args ...string) error {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		t.Logf("minisign %q: %s", args, out)
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(err)
		return b
	}
	write := func(name string, data []byte) {
		t.Helper()
		must(os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	write("module", []byte("\x00asm"))

	// Its keys and signatures here.
	must(run("-G", "-W", "-p", "its.pub", "-s", "its.key"))
	must(run("-S", "-s", "its.key", "-m", "module", "-t", "its comment"))
	public, err := ParsePublicKey(read("its.pub"))
	must(err)
	if got, err := public.Verify(read("module"), read("module.minisig")); err != nil || got.Comment != "its comment" {
		t.Errorf("its signature: %+v, %v", got, err)
	}
	must(run("-S", "-l", "-s", "its.key", "-m", "module", "-t", "an older form"))
	if got, err := public.Verify(read("module"), read("module.minisig")); err != nil || got.Comment != "an older form" {
		t.Errorf("its signature of the older form: %+v, %v", got, err)
	}
	secret, err := ParseSecretKey(read("its.key"), "")
	must(err)
	write("module.minisig", sign(t, secret, "\x00asm"))
	if err := run("-V", "-p", "its.pub", "-m", "module"); err != nil {
		t.Errorf("our signature with its key: %v", err)
	}

	// Our keys there.
	pub, sec, err := Generate("")
	must(err)
	write("our.pub", pub)
	write("our.key", sec)
	must(run("-S", "-s", "our.key", "-m", "module"))
	if err := run("-V", "-p", "our.pub", "-m", "module"); err != nil {
		t.Errorf("its signature with our keys: %v", err)
	}
	write("module", []byte("changed"))
	if err := run("-V", "-p", "our.pub", "-m", "module"); err == nil {
		t.Error("minisign takes a changed file for signed")
	}
}

func FuzzVerify(f *testing.F) {
	public, secret := keys(f)
	good := sign(f, secret, "module")
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte("untrusted comment: \n\ntrusted comment: \n"))
	f.Fuzz(func(t *testing.T, signature []byte) {
		_, _ = ParseSignature(signature)
		if _, err := public.Verify([]byte("another module"), signature); err == nil {
			t.Errorf("%q is good for what was never signed", signature)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	pub, sec, err := Generate("")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pub)
	f.Add(sec)
	f.Add([]byte("untrusted comment: x\n"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = ParsePublicKey(text)
		_, _ = ParseSecretKey(text, "")
	})
}
