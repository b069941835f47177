package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/internal/config"
)

// target is how a command reaches a cache that runs, and how it prints what it gets.
type target struct {
	resp, admin string
	password    string
	token       string // of the admin frontend
	timeout     time.Duration
	out         *format
}

// format is the form of results: "table" or "json".
type format string

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "table|json" }

func (f *format) Set(given string) error {
	if given != "table" && given != "json" {
		return errors.New("table or json is wanted")
	}
	*f = format(given)
	return nil
}

// bindClient declares the flags of a command that talks to the RESP frontend.
func bindClient(cmd *cobra.Command) *target {
	t := bindOutput(cmd)
	config.BindRESP(cmd.Flags(), &t.resp, "`host:port` of the cache")
	config.BindPassword(cmd.Flags(), &t.password, "`password` that the cache asks for")
	return t
}

func bindOutput(cmd *cobra.Command) *target {
	defaults := config.NewRun()
	t := &target{resp: defaults.RESP, admin: defaults.Admin, out: bindFormat(cmd)}
	cmd.Flags().DurationVar(&t.timeout, "timeout", 5*time.Second, "longest `time` to wait")
	return t
}

// bindFormat declares the flag of the results' form.
func bindFormat(cmd *cobra.Command) *format {
	f := format("table")
	cmd.Flags().VarP(&f, "output", "o", "form of the result")
	return &f
}

// with calls fn with a client of the cache.
func (t *target) with(fn func(*redis.Client) error) (err error) {
	if t.resp == config.Off {
		return usageError{errors.New("--resp (EDGECACHE_RESP) is off: give the address of the cache")}
	}
	c := redis.NewClient(&redis.Options{
		Addr: t.resp, Password: t.password, MaxRetries: -1, DialerRetries: 1, PoolSize: 1, DisableIdentity: true,
		DialTimeout: t.timeout, ReadTimeout: t.timeout, WriteTimeout: t.timeout,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := fn(c); err != nil {
		return t.explain(err)
	}
	return nil
}

// explain says what to do about an error of the connection.
func (t *target) explain(err error) error {
	var reply redis.Error
	if errors.As(err, &reply) || errors.Is(err, errMiss) {
		return err
	}
	return fmt.Errorf("cache at %s: %w: is \"edgecache run\" there? (--resp, EDGECACHE_RESP)", t.resp, err)
}

// errMiss is the error of a command on a key that is not there.
var errMiss = errors.New("key not found")

func miss(key string) error { return fmt.Errorf("%q: %w", key, errMiss) }

// print writes a result: text on a line of its own, or value as JSON.
func (f *format) print(w io.Writer, text string, value any) error {
	if *f != "json" {
		_, err := fmt.Fprintln(w, text)
		return err
	}
	return writeJSON(w, value)
}

// writeJSON writes value as one line of JSON.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// binary is a string of any bytes in JSON: a string where it is UTF-8, else {"base64": "..."}.
type binary string

// MarshalJSON is described at binary.
func (b binary) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(b)) {
		return json.Marshal(string(b))
	}
	return json.Marshal(map[string][]byte{"base64": []byte(b)})
}

// number is a word of the command line as an integer.
func number(what, given string) (int64, error) {
	n, err := strconv.ParseInt(given, 10, 64)
	if err != nil {
		return 0, usageError{fmt.Errorf("%s %q is no integer", what, given)}
	}
	return n, nil
}

// arguments checks how many words there are and names them in the error.
func arguments(least, most int, names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return fmt.Errorf("%s is missing", strings.ToUpper(names[len(args)]))
		case most >= 0 && len(args) > most:
			return fmt.Errorf("%q is one word too many", args[most])
		default:
			return nil
		}
	}
}
