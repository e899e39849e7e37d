#!/bin/bash
# benches/watch.sh [COUNT [EDITS [SECONDS]]]: how soon virt watch has applied a saved file, what it costs
# while nothing happens, and whether it keeps up with a stream of edits.
#
# The host is libvirt's test driver behind a libvirtd of our own, with COUNT (1000) defined domains, each
# with a manifest. EDITS (30) files are saved one after the other, each after the one before has been
# applied; the time is from the close of the file to the line that says so. Then nothing happens for
# SECONDS (60), and then 50 files a second are saved for as long. Needs root and libvirtd.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-1000} edits=${2:-30} seconds=${3:-60}
cargo build --release --quiet
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
for _ in $(seq 300); do [ -S "$dir/sock/libvirt-sock" ] && break; sleep 0.1; done
uri="test+unix:///default?socket=$dir/sock/libvirt-sock"
echo 'set = "bench"' >"$dir/manifests/virt.toml"
python3 - "$dir" "$uri" "$count" "$edits" "$seconds" <<'PYTHON' &
import json, os, queue, subprocess, sys, threading, time

directory, uri, count, edits, seconds = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
manifests = os.path.join(directory, "manifests")


def save(number, memory):
    """Saves a manifest as an editor does, and gives the time of its close."""
    path = os.path.join(manifests, f"vm{number}.toml")
    with open(path, "w") as file:
        file.write(f'''[[domain]]
type = "test"
name = "vm{number}"
memory = {memory}
vcpu = 1
os.type = "hvm"
reconcile.power = "stopped"
[[domain.devices.disk]]
type = "file"
driver = {{ name = "qemu", type = "qcow2" }}
source.file = "/var/lib/libvirt/images/vm{number}.qcow2"
target = {{ dev = "vda", bus = "virtio" }}
[[domain.devices.interface]]
type = "network"
source.network = "default"
''')
    return time.monotonic()


for number in range(count):
    save(number, 65536)
command = ["target/release/virt", "watch", "-o", "json", "-c", uri, manifests]
watch = subprocess.Popen(command, stdout=subprocess.PIPE)
done, closed = queue.Queue(), {}


def read():
    for line in watch.stdout:
        event = json.loads(line)
        if event["event"] == "reconciled":
            assert event["outcome"] == "done", event
            fields = [f["after"] for f in event["fields"] if f["path"] == "memory"]
            done.put((event["name"], fields, time.monotonic()))


def cpu():
    with open(f"/proc/{watch.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory():
    with open(f"/proc/{watch.pid}/status") as file:
        return next(line.split()[1] for line in file if line.startswith("VmRSS"))


threading.Thread(target=read, daemon=True).start()
try:
    for _ in range(count):
        done.get(timeout=300)
    time.sleep(2)
    times = []
    for edit in range(edits):
        begun = save(edit * 7 % count, 65537 + edit)
        times.append((done.get(timeout=30)[2] - begun) * 1000)
        time.sleep(0.1)
    times.sort()
    print(f"{count} manifests, {edits} edits: closed to converged"
          f" median {times[len(times) // 2]:.0f} ms, p95 {times[int(len(times) * 0.95)]:.0f} ms")
    before = cpu()
    time.sleep(seconds)
    print(f"idle for {seconds} s: {(cpu() - before) / seconds * 100:.2f} % of a CPU, {memory()} KiB resident")
    before, wanted = cpu(), {}
    start = time.monotonic()
    for edit in range(seconds * 50):
        time.sleep(max(0, start + edit / 50 - time.monotonic()))
        number, size = edit % count, 131072 + edit
        closed[number] = save(number, size)
        wanted[f"vm{number}"] = f"{size} KiB"
    reached, late = {}, []
    deadline = time.monotonic() + 30
    while any(reached.get(name) != size for name, size in wanted.items()):
        name, fields, at = done.get(timeout=max(0, deadline - time.monotonic()))
        reached.update({name: size for size in fields})
        if reached.get(name) == wanted.get(name):
            late.append((at - closed[int(name[2:])]) * 1000)
    late.sort()
    print(f"50 edits/s for {seconds} s: none of {seconds * 50} missed; the last of each file converged"
          f" within {late[len(late) // 2]:.0f} ms at the median, {late[-1]:.0f} ms at the most;"
          f" {(cpu() - before) / seconds * 100:.0f} % of a CPU")
finally:
    watch.terminate()
    watch.wait()
PYTHON
watch=$!
wait "$watch"
watch=
