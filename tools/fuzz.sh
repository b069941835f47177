#!/bin/sh
# Runs every fuzz target of the module for a while: fuzz.sh TIME
set -eu
targets=$(go test -list '^Fuzz' ./... | awk '/^Fuzz/ { names[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print $2, names[i]; n = 0 }')
[ -n "$targets" ] || { echo "fuzz.sh: no fuzz targets found" >&2; exit 1; }
echo "$targets" | while read -r package target; do
	echo "--- $package $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "$package"
done
