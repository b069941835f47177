package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// EnvName returns the environment variable of a flag: EDGECACHE_MAX_MEMORY of max-memory.
func EnvName(flag string) string {
	return "EDGECACHE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// FromEnv sets each of our flags that was not given from its environment variable. lookup is os.LookupEnv. An empty
// variable is as good as none.
func FromEnv(fs *pflag.FlagSet, lookup func(string) (string, bool)) (err error) {
	fs.VisitAll(func(f *pflag.Flag) {
		if _, ours := f.Value.(setting); !ours || f.Changed || err != nil {
			return
		}
		name := EnvName(f.Name)
		given, _ := lookup(name)
		if given == "" {
			return
		}
		if err = f.Value.(setting).fromEnv(given); err != nil {
			err = fmt.Errorf("%s (flag: --%s): %w", name, f.Name, err)
		}
	})
	return err
}

// FlagError says which flag and which variable a flag's error is about, and what is accepted. It never repeats a value
// that may hold a password.
func FlagError(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	f := invalid.GetFlag()
	if _, ours := f.Value.(setting); !ours {
		return err
	}
	return fmt.Errorf("--%s (environment: %s): %w", f.Name, EnvName(f.Name), errors.Unwrap(invalid))
}

// setting is a flag that has an environment variable.
type setting interface {
	pflag.Value
	fromEnv(given string) error
}

// value is a flag whose text is parsed into a T.
type value[T any] struct {
	to     *T
	parse  func(string) (T, error)
	format func(T) string
}

func bind[T any](fs *pflag.FlagSet, name, usage string, to *T, parse func(string) (T, error), format func(T) string) {
	fs.Var(&value[T]{to: to, parse: parse, format: format}, name, usage)
}

func (v *value[T]) String() string {
	if v.to == nil { // pflag makes a zero value to learn what the zero default looks like
		return ""
	}
	return v.format(*v.to)
}

func (v *value[T]) Type() string { return "value" }

func (v *value[T]) Set(given string) error {
	parsed, err := v.parse(given)
	if err != nil {
		return err
	}
	*v.to = parsed
	return nil
}

func (v *value[T]) fromEnv(given string) error { return v.Set(given) }

// list is a flag that may be repeated; its variable separates by separator.
type list[T any] struct {
	to        *[]T
	separator string
	parse     func(string) (T, error)
}

func bindList[T any](fs *pflag.FlagSet, name, separator, usage string, to *[]T, parse func(string) (T, error)) {
	fs.Var(&list[T]{to: to, separator: separator, parse: parse}, name, usage)
}

func (l *list[T]) String() string { return "" }
func (l *list[T]) Type() string   { return "value" }

func (l *list[T]) Set(given string) error {
	item, err := l.parse(given)
	if err != nil {
		return err
	}
	*l.to = append(*l.to, item)
	return nil
}

func (l *list[T]) fromEnv(given string) error {
	for part := range strings.SplitSeq(given, l.separator) {
		if err := l.Set(strings.TrimSpace(part)); err != nil {
			return err
		}
	}
	return nil
}

// toggle is a flag that stands alone for true.
type toggle struct{ value[bool] }

func bindSwitch(fs *pflag.FlagSet, name, usage string, to *bool) {
	v := &toggle{value[bool]{to: to, parse: parseBool, format: formatBool}}
	fs.VarPF(v, name, "", usage).NoOptDefVal = "true"
}

func (t *toggle) Type() string { return "bool" }

// Document returns docs/CONFIG.md: the settings of "edgecache run", and those that "edgecache proxy" has besides or with
// another default or meaning.
func Document(run, proxy *pflag.FlagSet) string {
	var b strings.Builder
	b.WriteString(documentHead)
	writeTable(&b, run, func(*pflag.Flag) bool { return true })
	var shared []string
	own := func(f *pflag.Flag) bool {
		same := run.Lookup(f.Name)
		if same != nil && same.DefValue == f.DefValue && same.Usage == f.Usage {
			shared = append(shared, "`--"+f.Name+"`")
			return false
		}
		return true
	}
	b.WriteString(documentProxy)
	writeTable(&b, proxy, own)
	fmt.Fprintf(&b, "\nAs in `edgecache run` are: %s.\n", strings.Join(shared, ", "))
	return b.String()
}

func writeTable(b *strings.Builder, fs *pflag.FlagSet, has func(*pflag.Flag) bool) {
	b.WriteString("| flag | environment | default | what it is |\n| --- | --- | --- | --- |\n")
	fs.VisitAll(func(f *pflag.Flag) {
		if _, ours := f.Value.(setting); !ours || !has(f) {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		flag := "--" + f.Name
		if kind != "" {
			flag += " " + kind
		}
		def := f.DefValue
		if def != "" {
			def = "`" + def + "`"
		}
		cells := []string{"`" + flag + "`", "`" + EnvName(f.Name) + "`", def, usage}
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(c, "|", `\|`)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	})
}

const documentHead = "# Configuration\n\n" +
	"Every setting of `edgecache run` is a flag and an environment variable of the same name. A flag wins over its variable;\n" +
	"an empty variable is as good as none. This table is generated from the code by `make docs`.\n\n" +
	"The other commands take `--resp` and `--admin`, with the same variables, as the addresses to talk to, and what these ask\n" +
	"for: `--password` and `--admin-token`. What the admin address answers stands in [ADMIN.md](ADMIN.md). The export of traces\n" +
	"and metrics follows the standard `OTEL_*` variables: see [METRICS.md](METRICS.md).\n\n"

const documentProxy = "\n## edgecache proxy\n\n" +
	"What these are for stands in [PROXY.md](PROXY.md).\n\n"
