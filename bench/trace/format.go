package trace

import (
	"bytes"
	"slices"
	"strings"
)

// decoder reads one record after the other. It returns errSkip for what is none, io.EOF at the end, and a recordError or what
// input returns otherwise.
type decoder interface {
	next(in *input, r *record) error
}

// format is a way to write traces.
type format struct {
	name string
	// named reports whether a file's name, in lower case and without compression, promises the format. nil: none does.
	named func(name string) bool
	// looks reports whether the first bytes can be the format.
	looks func(head []byte) bool
	// guess reports whether they are, with no promise. nil: looks decides.
	guess func(head []byte) bool
	// want is what is expected at the beginning.
	want string
	// open reads what comes before the first record.
	open func(in *input, o *Options) (decoder, columns, error)
}

// formats are in the order in which they are guessed: the more a format asks of the first bytes, the earlier it is.
var formats = [...]format{
	{name: "ect", named: suffix(".ect"), looks: looksECT, want: "the magic number of an ect file", open: openECT},
	{name: "lcs", named: suffix(".lcs"), looks: looksLCS, want: lcsWant, open: openLCS},
	{name: "twr", named: suffix(".twr"), looks: isBinary, guess: guessTWR, want: twr.want, open: opens(twr)},
	{name: "vscsi1", looks: looksLike(vscsi1), want: vscsi1.want, open: opens(vscsi1)},
	{name: "vscsi2", looks: looksLike(vscsi2), want: vscsi2.want, open: opens(vscsi2)},
	{name: "oracleGeneral", looks: looksLike(oracleGeneral), want: oracleGeneral.want, open: opens(oracleGeneral)},
	{name: "oracleGeneralOpNS", looks: looksLike(oracleGeneralOpNS), want: oracleGeneralOpNS.want, open: opens(oracleGeneralOpNS)},
	{name: "be32", named: prefix("cache2k"), looks: isBinary, guess: guessBE32, want: be32.want, open: opens(be32)},
	{name: "be64", named: prefix("corda", "scarab"), looks: isBinary, guess: guessBE64, want: be64.want, open: opens(be64)},
	{name: "squid", looks: linesLike(squid), want: squidLine, open: openSquid},
	{name: "monitor", looks: linesLike(monitorLine), want: monitorWant, open: openMonitor},
	{name: "memcached", looks: linesLike(watched), want: watchedLine, open: openWatched},
	{name: "accesslog", looks: linesLike(accessLog), want: accessLogLine, open: openAccessLog},
	{name: "jsonl", named: suffix(".jsonl", ".ndjson"), looks: looksJSON, want: jsonLine, open: openJSON},
	{name: "address", named: prefix("address"), looks: linesLike(address), want: addressLine, open: openAddress},
	{name: "csv", named: suffix(".csv", ".tsv"), looks: looksCSV, want: csvLine, open: openCSV},
	{name: "arc", named: suffix(".lis"), looks: linesLike(arc), want: arcLine, open: opensLines(arc, columns{})},
	{name: "sized", looks: linesLike(sized), want: sizedLine, open: opensLines(sized, columns{size: true, time: true})},
	{name: "lirs", named: prefix("lirs"), looks: linesLike(number), guess: never, want: numberLine, open: opensLines(number, columns{})},
	{name: "keys", looks: isText, want: "one key per line", open: openKeys},
}

func never([]byte) bool { return false }

// Formats returns the names of all formats that are read.
func Formats() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

// detect finds out what a trace is: its name may promise a format, which its first bytes must look like then.
func detect(in *input, o *Options) (format, error) {
	head, err := in.peek()
	if err != nil {
		return format{}, err
	}
	if len(head) == 0 {
		return format{}, &BadRecordError{File: in.name, Want: "requests", Got: "an empty file"}
	}
	if o.Format != "" {
		f := formats[slices.Index(Formats(), o.Format)]
		return f, f.check(in, head, "--format "+o.Format)
	}
	base, _ := uncompressedName(in.name)
	base = strings.ToLower(base)
	for _, f := range formats {
		if f.named != nil && f.named(base) {
			return f, f.check(in, head, "a file of that name")
		}
	}
	for _, f := range formats {
		looks := f.guess
		if looks == nil {
			looks = f.looks
		}
		if looks(head) {
			return f, nil
		}
	}
	return format{}, &BadRecordError{
		File: in.name, Want: "one of the formats " + strings.Join(Formats(), ", ") + " (--format names it)", Got: shown(head),
	}
}

// check returns an error if the first bytes are not what was promised.
func (f format) check(in *input, head []byte, promise string) error {
	if f.looks(head) {
		return nil
	}
	e := &BadRecordError{File: in.name, Want: f.want + ", as in " + promise, Got: shown(head)}
	if isText(head) {
		e.Line = 1
	}
	return e
}

func shown(head []byte) string {
	if isText(head) {
		head, _, _ = bytes.Cut(head, []byte("\n"))
	}
	return shorten(head)
}

func suffix(all ...string) func(string) bool {
	return func(name string) bool {
		for _, s := range all {
			if strings.HasSuffix(name, s) {
				return true
			}
		}
		return false
	}
}

func prefix(all ...string) func(string) bool {
	return func(name string) bool {
		for _, s := range all {
			if strings.HasPrefix(name, s) {
				return true
			}
		}
		return false
	}
}

// isText reports whether the first bytes are text: of a file that is something else further on, too, which its lines tell
// when it is read.
func isText(head []byte) bool {
	const lines = 4
	rest := head
	for range lines {
		_, behind, whole := bytes.Cut(rest, []byte("\n"))
		if !whole {
			return !hasControls(head)
		}
		rest = behind
	}
	return !hasControls(head[:len(head)-len(rest)])
}

// hasControls reports whether there are control characters other than those of text.
func hasControls(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return true
		}
	}
	return false
}

// isBinary is all that can be asked of formats in which every number is good.
func isBinary(head []byte) bool { return !isText(head) }

// mostly reports whether so many of all are good that the others are taken for damage.
func mostly(good, all int) bool { return good > 0 && good*4 >= all*3 }

// firstLines returns the first lines, at most 64.
func firstLines(head []byte) [][]byte {
	const most = 64
	var lines [][]byte
	for len(head) > 0 && len(lines) < most {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if !whole && len(lines) > 0 {
			break // the file may go on
		}
		lines = append(lines, bytes.TrimRight(line, "\r"))
		head = rest
	}
	return lines
}
