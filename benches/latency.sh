#!/bin/bash
# benches/latency.sh [COUNT [ROUNDS]]: virt get against libvirt-python, over a link with 20 ms of round
# trip, in one run. The host is libvirt's test driver behind a libvirtd of our own with COUNT (500)
# running domains; both read the state, autostart, inactive and live XML of each. Needs root, libvirtd
# and libvirt-python.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-500} rounds=${2:-3}
python=
for candidate in python3 /usr/bin/python3; do
  "$candidate" -c 'import libvirt' 2>/dev/null && python=$candidate && break
done
[ -n "$python" ] || { echo "needs libvirt-python (Debian: python3-libvirt)" >&2; exit 1; }
cargo build --release --quiet
dir=$(mktemp -d)
bash tests/support/libvirtd.sh "$dir" </dev/null >"$dir/output" 2>&1 &
daemon=$!
holder= link=
end() {
  [ -z "$link" ] || { kill "$link" 2>/dev/null && wait "$link" 2>/dev/null; } || true
  exec 3>&- || true
  [ -z "$holder" ] || wait "$holder" 2>/dev/null || true
  kill -KILL "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null || true
  rm -rf "$dir"
}
trap end EXIT
for _ in $(seq 300); do [ -S "$dir/sock/libvirt-sock" ] && break; sleep 0.1; done
near="test+unix:///default?socket=$dir/sock/libvirt-sock"
far="test+unix:///default?socket=$dir/far"
mkfifo "$dir/hold"
"$python" benches/peer.py "$near" start "$count" <"$dir/hold" >"$dir/ready" &
holder=$!
exec 3>"$dir/hold"
for _ in $(seq 600); do grep -q ready "$dir/ready" && break; sleep 0.1; done
"$python" benches/delay.py "$dir/far" "$dir/sock/libvirt-sock" 10 3>&- &
link=$!
for _ in $(seq 100); do [ -S "$dir/far" ] && break; sleep 0.1; done

measure() { # NAME COMMAND...: appends the wall time in ms
  local name=$1 out
  shift
  TIMEFORMAT='%R'
  out=$({ time "$@" >"$dir/out" 2>"$dir/error"; } 2>&1) || { cat "$dir/error" >&2; exit 1; }
  awk '{ printf "%d\n", $1 * 1000 }' <<<"$out" >>"$dir/$name"
}
median() { sort -n "$dir/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for _ in $(seq "$rounds"); do
  measure virt target/release/virt -c "$far" get domains -o json
  grep -o '"state":"running"' "$dir/out" | wc -l >"$dir/seen"
done
measure peer "$python" benches/peer.py "$far" readfull
echo "$count running domains over a round trip of 20 ms; virt saw $(cat "$dir/seen") running:"
printf '%-16s wall %6d ms (median of %d)\n%-16s wall %6d ms (once)\n' \
  "virt get" "$(median virt)" "$rounds" libvirt-python "$(cat "$dir/peer")"
