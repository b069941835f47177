#!/bin/sh
# Puts the Go that go.mod asks for into .tools/go, through the module proxy: for machines whose Go is older and too old
# (before 1.21) to do so itself.
set -eu
cd "$(dirname "$0")/.."
want=go$(sed -n 's/^go //p' go.mod)
if [ "$(printf '%s\n' "$want" "$(go env GOVERSION)" | sort -V | tail -1)" != "$want" ] || [ "$(go env GOVERSION)" = "$want" ]; then
	echo "bootstrap: $(go env GOVERSION) will do"
	exit 0
fi
module=golang.org/toolchain@v0.0.1-$want.$(go env GOOS)-$(go env GOARCH)
dir=$(cd / && go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
[ -n "$dir" ] || { echo "bootstrap: $module can't be had" >&2; exit 1; }
mkdir -p .tools && rm -rf .tools/go && cp -r "$dir" .tools/go && chmod -R u+w .tools/go
chmod +x .tools/go/bin/* .tools/go/pkg/tool/*/*
[ ! -f .tools/go/_go.mod ] || find .tools/go -name _go.mod -exec sh -c 'mv "$1" "${1%_go.mod}go.mod"' _ {} \;
.tools/go/bin/go version
