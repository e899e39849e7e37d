#!/bin/bash
# benches/validate.sh [ROUNDS]: our RELAX NG engine against xmllint and jing, in one run: libvirt's
# domain grammar over the domains of libvirt's own tests; then `virt validate` over 10,000 manifests.
#
# Each validates all documents in one process, schema included; user CPU seconds, the least of ROUNDS
# (5) runs. Needs libvirt's grammars (Debian: libvirt-common), xmllint, jing, and libvirt's test files,
# which are read from $VIRT_TESTDATA or ../shared/testdata.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
data=${VIRT_TESTDATA:-../shared/testdata}
grammar=/usr/share/libvirt/schemas/domain.rng
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for tool in xmllint jing; do command -v "$tool" >/dev/null || { echo "needs $tool" >&2; exit 1; }; done
[ -e "$grammar" ] || { echo "needs $grammar" >&2; exit 1; }
cargo build --release --quiet
bench=$(cargo build --release --quiet --bench relaxng --message-format json 2>/dev/null |
  sed -n 's/.*"executable":"\([^"]*relaxng-[^"]*\)".*/\1/p' | tail -n 1)
tar -C "$dir" -xf "$data"/libvirt-*-tests.tar.xz tests/qemuxmlconfdata
awk -F '\t' '$1 == "domain" && $2 == "valid" && $3 ~ /qemuxmlconfdata/ { print $3 }' \
  "$data"/libvirt-*-verdicts.tsv | (cd "$dir" && xargs ls) | sed "s|^|$dir/|" >"$dir/files"
echo "$(wc -l <"$dir/files") documents, $(xargs cat <"$dir/files" | wc -c) bytes"

# user_seconds NAME COMMAND...: the least user CPU time over the rounds
user_seconds() {
  local name=$1 best=
  shift
  for _ in $(seq "$rounds"); do
    local TIMEFORMAT=%U spent
    spent=$({ time "$@" >"$dir/output" 2>&1 || true; } 2>&1)
    [ -z "$best" ] || awk "BEGIN { exit !($spent < $best) }" && best=$spent
  done
  printf '%-28s %8s user s\n' "$name" "$best" >&2
  echo "$best"
}

mapfile -t files <"$dir/files"
# three passes are timed inside; the first with the loading is the one to compare
"$bench" "$grammar" "${files[@]}" | tail -n 2
ours=$(user_seconds "virt (one pass)" env VIRT_BENCH_PASSES=1 "$bench" "$grammar" "${files[@]}")
xmllint=$(user_seconds xmllint xmllint --noout --relaxng "$grammar" "${files[@]}")
jing=$(user_seconds jing jing -i "$grammar" "${files[@]}")
awk "BEGIN { printf \"xmllint / virt = %.1f, jing / virt = %.1f\n\", $xmllint / $ours, $jing / $ours }"

mkdir "$dir/manifests"
for i in $(seq 10000); do
  printf "<domain type='kvm'><name>d%d</name><memory unit='MiB'>512</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os><features><acpi/><apic/></features><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/images/d%d.qcow2'/><target dev='vda' bus='virtio'/></disk><interface type='network'><source network='lan'/><model type='virtio'/></interface><console type='pty'/></devices></domain>\n" "$i" "$i" >"$dir/manifests/d$i.xml"
done
TIMEFORMAT='virt validate, 10,000 manifests: %R s, %U user s, %S system s'
time target/release/virt validate "$dir/manifests"
