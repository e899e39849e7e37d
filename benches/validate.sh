#!/bin/bash
# benches/validate.sh [ROUNDS]: `virt validate` against xmllint and jing as a user types them, in one run.
#
# First the domains of libvirt's own tests by libvirt's own grammar, then 10,000 small manifests: `virt` by
# its own grammar, with all its other checks, the peers by libvirt's. Each tool gets all documents in one
# process. CPU seconds, user and system, the least of ROUNDS (5) runs, in turn. Needs libvirt's grammars
# (Debian: libvirt-common), xmllint, jing, and libvirt's test files, which are read from $VIRT_TESTDATA or
# ../shared/testdata.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
data=${VIRT_TESTDATA:-../shared/testdata}
schemas=/usr/share/libvirt/schemas
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for tool in xmllint jing; do command -v "$tool" >/dev/null || { echo "needs $tool" >&2; exit 1; }; done
[ -e "$schemas/domain.rng" ] || { echo "needs $schemas/domain.rng" >&2; exit 1; }
cargo build --release --quiet
virt=$PWD/target/release/virt

# spent NAME COMMAND...: appends the CPU seconds of one run, whose verdict does not matter: some
# documents are valid by the grammar and still refused by a check that no grammar can say
spent() {
  local name=$1 TIMEFORMAT='%U %S' took
  shift
  took=$({ time "$@" >/dev/null 2>&1 || true; } 2>&1)
  awk '{ print $1 + $2 }' <<<"$took" >>"$dir/$name"
}
least() { sort -n "$dir/$1" | head -n 1; }

# compare DIRECTORY OPTION...: each tool over the documents of a directory
compare() {
  local documents=("$1"/*.xml) at=$1 tool
  shift
  rm -f "$dir"/{virt,xmllint,jing}
  for _ in $(seq "$rounds"); do
    spent virt "$virt" validate "$@" "$at"
    spent xmllint xmllint --noout --relaxng "$schemas/domain.rng" "${documents[@]}"
    spent jing jing -i "$schemas/domain.rng" "${documents[@]}"
  done
  echo "${#documents[@]} documents, $(cat "${documents[@]}" | wc -c) bytes, CPU seconds:"
  for tool in virt xmllint jing; do printf '  %-8s %7s\n' "$tool" "$(least "$tool")"; done
  awk -v v="$(least virt)" -v x="$(least xmllint)" -v j="$(least jing)" \
    'BEGIN { printf "  virt / xmllint = %.2f, virt / jing = %.2f\n", v / x, v / j }'
}

tar -C "$dir" -xf "$data"/libvirt-*-tests.tar.xz tests/qemuxmlconfdata
mkdir "$dir/libvirt" "$dir/small"
n=0
# one name is one object: libvirt's tests call most of theirs alike
while read -r file; do
  n=$((n + 1))
  sed -E "0,/<name>/s|<name>[^<]*</name>|<name>d$n</name>|; /<uuid>/d" "$dir/$file" >"$dir/libvirt/d$n.xml"
done < <(awk -F '\t' '$1 == "domain" && $2 == "valid" && $3 ~ /qemuxmlconfdata/ { print $3 }' \
  "$data"/libvirt-*-verdicts.tsv)
echo "libvirt's test domains, by libvirt's grammar:"
compare "$dir/libvirt" --schema-dir "$schemas"

for i in $(seq 10000); do
  printf "<domain type='kvm'><name>d%d</name><memory unit='MiB'>512</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os><features><acpi/><apic/></features><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/images/d%d.qcow2'/><target dev='vda' bus='virtio'/></disk><interface type='network'><source network='lan'/><model type='virtio'/></interface><console type='pty'/></devices></domain>\n" "$i" "$i" >"$dir/small/d$i.xml"
done
echo "10,000 small manifests, virt by its own grammar:"
compare "$dir/small"
