#!/bin/bash
# benches/connections.sh [COUNT]: how much memory COUNT (200) connections take that are open at once, each
# with a thread of its own that has read the host. They lead to a libvirtd of our own. Needs root and
# libvirtd.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-200}
cargo build --release --bench connections --quiet
bench=$(ls -t target/release/deps/connections-* | grep -v '\.d$' | head -n 1)
dir=$(mktemp -d)
bash tests/support/libvirtd.sh "$dir" </dev/null >"$dir/output" 2>&1 &
daemon=$!
trap 'kill -KILL "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null; rm -rf "$dir"' EXIT
for _ in $(seq 300); do [ -e "$dir/pid" ] && [ -S "$dir/sock/libvirt-sock" ] && break; sleep 0.1; done
sleep 0.5
uris=()
for _ in $(seq "$count"); do uris+=("test+unix:///default?socket=$dir/sock/libvirt-sock"); done
"$bench" "${uris[@]}"
