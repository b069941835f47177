#!/bin/sh
# Runs every fuzz target of the module for a while: fuzz.sh TIME
set -eu
targets=$(go test -list '^Fuzz' ./... | awk '/^Fuzz/ { names[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print $2, names[i]; n = 0 }')
[ -n "$targets" ] || { echo "fuzz.sh: no fuzz targets found" >&2; exit 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# onlyTime reports whether the end of the time is all that the log complains of. Go's fuzzer can take it for a failure
# (golang/go#75804, mended in Go 1.27); an input that fails would have been written down.
onlyTime() {
	grep -q '^    context deadline exceeded$' "$log" && ! grep -Eq 'Failing input|panic:|^    .*\.go:' "$log"
}

echo "$targets" | while read -r package target; do
	echo "--- $package $target"
	if ! go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "$package" >"$log" 2>&1 && ! onlyTime; then
		cat "$log"
		exit 1
	fi
	grep -E '^fuzz: elapsed|^ok|deadline' "$log" | tail -n 1
done
