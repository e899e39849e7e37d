#!/usr/bin/env python3
"""benches/hostile.py [MIB [BINARY]]: what large and mistaken manifests cost `virt validate` and `virt plan`.

Each kind of document is made twice, of MIB/2 and of MIB (10) MiB: unknown keys, disks, dependencies,
nested tables, and the like in XML. Printed are the processor's seconds for both, how many times as long
the second took (2 is linear), its memory, and what was printed. It fails if one of MIB takes more than a
second of CPU for 10 MiB, or more than 2.6 times as long as its half.

Then `virt plan` is measured against the built-in host, with documents of a tenth of that size: for objects
that are not there, and as the edit of objects that were applied. Linear is asked for there as well.
"""
import os
import subprocess
import sys
import tempfile

HEAD = '[[domain]]\ntype = "qemu"\nname = "a"\nmemory = 65536\nos.type = "hvm"\n'
XML = "<domain type='qemu'><name>a</name><memory>65536</memory><os><type>hvm</type></os>\n"
SETTINGS = '<metadata><v:reconcile xmlns:v="urn:virt:reconcile:1">'


def disk(n):
    return f'[[domain.devices.disk]]\ntype = "file"\nsource.file = "/i/{n}.img"\ntarget.dev = "vd{n}"\n'


def disk_xml(n):
    return f"<disk type='file'><source file='/i/{n}.img'/><target dev='vd{n}'/></disk>\n"


def table(n):
    return "[domain." + ".".join(f"t{n}x{i}" for i in range(50)) + "]\n"


def nested_xml(n):
    names = [f"t{n}x{i}" for i in range(50)]
    return "".join(f"<{name}>" for name in names) + "".join(f"</{name}>" for name in reversed(names))


KINDS = {
    "unknown keys, TOML": (HEAD, lambda n: f"key{n} = {n}\n", ""),
    "unknown tables, TOML": (HEAD, lambda n: f"[[domain.zork]]\nkey{n} = {n}\n", ""),
    "disks, TOML": (HEAD, disk, ""),
    "the same disk, TOML": (HEAD, lambda n: disk("a"), ""),
    "depends_on, TOML": (
        HEAD + "[domain.reconcile]\ndepends_on = [\n", lambda n: f'"domain/d{n}",\n', "]\n",
    ),
    "nested tables, TOML": (HEAD, table, ""),
    "unknown elements, XML": (XML, lambda n: f"<key{n}>{n}</key{n}>\n", "</domain>"),
    "disks, XML": (XML + "<devices>", disk_xml, "</devices></domain>"),
    "the same disk, XML": (XML + "<devices>", lambda n: disk_xml("a"), "</devices></domain>"),
    "depends_on, XML": (
        XML + SETTINGS,
        lambda n: f"<v:depends_on>domain/d{n}</v:depends_on>\n",
        "</v:reconcile></metadata></domain>",
    ),
    "nested elements, XML": (XML, nested_xml, "</domain>"),
}


def small(n, rest=""):
    return f"<domain type='qemu'><name>a{n}</name><memory>65536</memory><os><type>hvm</type></os>{rest}</domain>\n"


def small_toml(n, rest=""):
    return HEAD.replace('"a"', f'"a{n}"') + rest


def hostdev(n):
    place = f"domain='{n >> 13:#06x}' bus='{n >> 5 & 255:#04x}' slot='{n & 31:#04x}' function='0x0'"
    return ("<hostdev mode='subsystem' type='pci' managed='yes'><source>"
            f"<address {place}/></source></hostdev>\n")


def nic(n):
    mac = f"52:54:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}"
    return f"<interface type='user'><mac address='{mac}'/></interface>\n"


def feature(policy):
    return lambda n: f"<feature policy='{policy}' name='f{n}'/>\n"


CPU = XML + "<cpu mode='custom'><model>qemu64</model>\n"
LOST = '[domain.reconcile]\ndepends_on = ["domain/missing"]\n'

# what is planned for, and what was applied before, if anything was
PLANS = {
    "lost needs, TOML": (("", lambda n: small_toml(n, LOST), ""), None),
    "needs in a row, TOML": (
        ("", lambda n: small_toml(n, LOST.replace("missing", f"a{n + 1}")), ""), None,
    ),
    "wrong domains, TOML": (("", lambda n: f"[[domain]]\nname = 'a{n}'\n", ""), None),
    "domains, TOML": (("", small_toml, ""), None),
    "addresses, XML": (
        ("<network><name>n</name><bridge name='virbr7'/>",
         lambda n: f"<ip address='10.{n >> 8}.{n & 255}.1' prefix='24'/>\n", "</network>"), None,
    ),
    "host devices, XML": ((XML + "<devices>", hostdev, "</devices></domain>"), None),
    "cards, XML": ((XML + "<devices>", nic, "</devices></domain>"), None),
    "one card more, XML": (
        (XML + "<devices>" + nic(1 << 23), nic, "</devices></domain>"),
        (XML + "<devices>", nic, "</devices></domain>"),
    ),
    "one host device more, XML": (
        (XML + "<devices>" + hostdev(1 << 23), hostdev, "</devices></domain>"),
        (XML + "<devices>", hostdev, "</devices></domain>"),
    ),
    "other features, XML": (
        (CPU, feature("disable"), "</cpu></domain>"), (CPU, feature("require"), "</cpu></domain>"),
    ),
}


def document(parts_of, size):
    head, piece, tail = parts_of
    parts, length, n = [head], len(head), 0
    while length < size:
        part = piece(n)
        parts.append(part)
        length += len(part)
        n += 1
    return "".join(parts) + tail


def measure(command, path, parts_of, size, times=3):
    """Seconds of CPU, MiB of memory and KiB that were printed."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(document(parts_of, size))
    best = None
    for _ in range(times):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        printed = len(child.stdout.read())
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode in (0, 1, 2, 4), f"{command}: exit code {child.returncode}"
        found = (used.ru_utime + used.ru_stime, used.ru_maxrss >> 10, printed >> 10)
        best = min(best or found, found)
    os.remove(path)
    return best


def main():
    mib = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    if len(sys.argv) > 2:
        binary = sys.argv[2]
    else:
        subprocess.run(["cargo", "build", "--release", "--quiet"], check=True)
        binary = "target/release/virt"
    bad = []
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "virt.toml"), "w", encoding="utf-8") as file:
            file.write('set = "hostile"\n')

        def compared(kind, measured):
            half, whole = (measured(int(s * (1 << 20))) for s in (mib / 2, mib))
            ratio = whole[0] / max(half[0], 0.01)
            print(f"{kind:26} {half[0]:5.2f} s  {whole[0]:5.2f} s  x{ratio:4.2f}  {whole[1]:5} MiB"
                  f"  {whole[2]:4} KiB printed", flush=True)
            if whole[0] > mib / 10 or ratio > 2.6:
                bad.append(kind)

        def path(kind):
            return os.path.join(directory, "m." + kind.rsplit(" ", 1)[1].lower())

        for kind, parts in KINDS.items():
            compared(kind, lambda size: measure([binary, "validate", directory], path(kind), parts, size))
        state = os.path.join(directory, "host.json")

        def planned(kind, now, before, size):
            tail = [directory, "-c", f"test:///default?state={state}"]
            if before:
                measure([binary, "apply", "--yes", *tail], path(kind), before, size // 10, times=1)
            found = measure([binary, "plan", *tail], path(kind), now, size // 10)
            for file in (state, path(kind)):
                if os.path.exists(file):
                    os.remove(file)
            return found

        for kind, (now, before) in PLANS.items():
            compared("plan, " + kind, lambda size: planned(kind, now, before, size))
    if bad:
        sys.exit("too slow: " + "; ".join(bad))


main()
