#!/bin/bash
# benches/soak.sh [SECONDS]: a watch of a real libvirtd with QEMU guests, with a fault every two seconds for
# SECONDS (600): guests destroyed, suspended or undefined behind its back, files edited, broken,
# removed and put back, the daemon killed and started again. At the end the host has to be in sync,
# and the watch must not have grown. Needs root, libvirtd, virsh and QEMU.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
cargo build --release --quiet
virt=$PWD/target/release/virt
dir=$(mktemp -d)
mkdir "$dir/manifests"
bash tests/support/libvirtd.sh "$dir" </dev/null >"$dir/output" 2>&1 &
daemon=$!
watch=
end() {
  [ -z "$watch" ] || kill "$watch" 2>/dev/null && wait "$watch" 2>/dev/null || true
  kill -KILL "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null || true
  rm -rf "$dir"
}
trap end EXIT
up() { for _ in $(seq 300); do virsh -c "$uri" version >/dev/null 2>&1 && return; sleep 0.1; done; return 1; }
uri="qemu+unix:///system?socket=$dir/sock/libvirt-sock"
up
guest() { # NAME TITLE: saves a manifest
  cat >"$dir/manifests/.$1" <<XML
<domain type='qemu'><name>$1</name><title>$2</title><memory unit='MiB'>32</memory>
<os><type arch='x86_64'>hvm</type></os><devices><controller type='usb' model='none'/></devices></domain>
XML
  mv "$dir/manifests/.$1" "$dir/manifests/$1.xml"
}
names=(a b c d)
echo 'set = "soak"' >"$dir/manifests/virt.toml"
for name in "${names[@]}"; do guest "$name" first; done
"$virt" watch -o json -c "$uri" --prune --max-prune 1 "$dir/manifests" >"$dir/events" 2>"$dir/errors" &
watch=$!
for _ in $(seq 300); do [ "$(grep -c '"done"' "$dir/events")" -ge 4 ] && break; sleep 0.1; done
size() { awk '/^VmRSS/ { print $2 }' "/proc/$watch/status"; }
files() { ls "/proc/$watch/fd" | wc -l; }
in_namespace() { # PROGRAM: its process that shares the daemon's network
  local pid
  for pid in $(pgrep -x "$1"); do
    [ "$(readlink "/proc/$pid/ns/net")" = "$(readlink "/proc/$daemon/ns/net")" ] && echo "$pid"
  done
}
quietly() { "$@" >/dev/null 2>&1 || true; }
fault() { # NUMBER
  local name=${names[$(($1 % 4))]}
  case $(($1 % 9)) in
    0) quietly virsh -c "$uri" destroy "$name" ;;
    1) guest "$name" "edit $1" ;;
    2) quietly virsh -c "$uri" undefine "$name" ;;
    3) echo '<domain type="qemu"><name>' >"$dir/manifests/$name.xml" ;;
    4) guest "${names[$((($1 - 1) % 4))]}" "mended $1" ;;
    5) kill -KILL $(in_namespace libvirtd) ;;
    6) mv "$dir/manifests" "$dir/away"; sleep 0.7; mv "$dir/away" "$dir/manifests" ;;
    7) quietly virsh -c "$uri" "destroy $name; undefine $name" ;;
    8) quietly virsh -c "$uri" suspend "$name" ;;
  esac
}
# what the first rounds load once is not growth
warm=$((seconds / 4 < 40 ? seconds / 4 : 40))
number=0 first_size=0 first_files=0
begun=$SECONDS
while [ $((SECONDS - begun)) -lt "$seconds" ]; do
  fault "$number"
  number=$((number + 1))
  sleep 2
  if [ "$first_size" = 0 ] && [ $((SECONDS - begun)) -ge "$warm" ]; then
    first_size=$(size) first_files=$(files)
  fi
done
for name in "${names[@]}"; do guest "$name" last; done
up
for _ in $(seq 60); do
  "$virt" plan -q -c "$uri" --detailed-exitcode "$dir/manifests" >"$dir/plan" 2>&1 && break
  sleep 1
done
"$virt" plan -c "$uri" --detailed-exitcode "$dir/manifests" || { tail -20 "$dir/events" "$dir/errors"; exit 1; }
echo "$number faults in $seconds s; $(grep -c '"done"' "$dir/events") repairs, $(grep -c '"event":"lost"' "$dir/events") times lost"
echo "resident: $first_size KiB after $warm s, $(size) KiB at the end; descriptors: $first_files, then $(files)"
