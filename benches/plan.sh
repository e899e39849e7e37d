#!/bin/bash
# benches/plan.sh [COUNT [ROUNDS]]: virt plan against libvirt-python reading the same host, in one run.
#
# The host is libvirt's test driver behind a libvirtd of our own, with COUNT (1000) defined domains,
# each with a manifest. The peer lists them and reads XML, state and autostart of each; virt plan reads
# the same, reads and checks the manifests, and compares. Both are timed as whole processes, in turn.
# Needs root, libvirtd and libvirt-python.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-1000} rounds=${2:-9}
python=
for candidate in python3 /usr/bin/python3; do
  "$candidate" -c 'import libvirt' 2>/dev/null && python=$candidate && break
done
[ -n "$python" ] || { echo "needs libvirt-python (Debian: python3-libvirt)" >&2; exit 1; }
cargo build --release --quiet
dir=$(mktemp -d)
mkdir "$dir/manifests"
bash tests/support/libvirtd.sh "$dir" </dev/null >"$dir/output" 2>&1 &
daemon=$!
holder=
end() {
  exec 3>&- || true
  [ -z "$holder" ] || wait "$holder" 2>/dev/null || true
  kill -KILL "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null || true
  rm -rf "$dir"
}
trap end EXIT
for _ in $(seq 300); do [ -S "$dir/sock/libvirt-sock" ] && break; sleep 0.1; done
uri="test+unix:///default?socket=$dir/sock/libvirt-sock"
mkfifo "$dir/hold"
"$python" benches/peer.py "$uri" define "$count" "$dir/manifests" <"$dir/hold" >"$dir/ready" &
holder=$!
exec 3>"$dir/hold"
for _ in $(seq 600); do grep -q ready "$dir/ready" && break; sleep 0.1; done
virt=(target/release/virt -c "$uri")
# the domains are taken over once, so that the plan that is timed compares every one of them
echo 'set = "bench"' >"$dir/manifests/virt.toml"
"${virt[@]}" -q apply --adopt "$dir/manifests" | tail -n 1
"${virt[@]}" plan --detailed-exitcode "$dir/manifests"

measure() { # NAME COMMAND...: appends "wall cpu" in ms
  local name=$1 out
  shift
  TIMEFORMAT='%R %U %S'
  out=$({ time "$@" >/dev/null 2>"$dir/error"; } 2>&1) || { cat "$dir/error" >&2; exit 1; }
  awk '{ printf "%d %d\n", $1 * 1000, ($2 + $3) * 1000 }' <<<"$out" >>"$dir/$name"
}
median() { cut -d' ' -f"$2" "$dir/$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for _ in $(seq "$rounds"); do
  measure peer "$python" benches/peer.py "$uri" read
  measure virt "${virt[@]}" plan "$dir/manifests"
done
echo "$count domains, $rounds rounds, medians:"
printf '%-16s wall %5d ms   CPU of the client %5d ms\n' \
  libvirt-python "$(median peer 1)" "$(median peer 2)" \
  "virt plan" "$(median virt 1)" "$(median virt 2)"
awk -v a="$(median virt 1)" -v b="$(median peer 1)" -v c="$(median virt 2)" -v d="$(median peer 2)" \
  'BEGIN { printf "virt plan / libvirt-python: wall %.2f, CPU %.2f\n", a / b, c / d }'
