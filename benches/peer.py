"""What virt plan is measured against: libvirt-python reading a host.

    peer.py URI define COUNT   defines COUNT small domains and holds the connection open until its
                               standard input ends (libvirt's test host lives as long as one does)
    peer.py URI start COUNT    defines and starts them, and holds the connection
    peer.py URI readfull       reads the live XML of each as well
    peer.py URI read           lists every domain and reads its XML, state and autostart
"""

import sys
import uuid

import libvirt

DOMAIN = """<domain type='test'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/images/{name}.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:{a:02x}:{b:02x}:01'/>
      <source network='default'/>
      <model type='virtio'/>
    </interface>
    <graphics type='vnc' port='-1' autoport='yes'/>
  </devices>
</domain>
"""


def definitions(count):
    for n in range(count):
        name = f"bench{n:05}"
        yield name, DOMAIN.format(
            name=name, uuid=uuid.uuid5(uuid.NAMESPACE_DNS, name), a=n // 256, b=n % 256
        )


def read(connection, live):
    for domain in connection.listAllDomains(0):
        domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        if live:
            domain.XMLDesc(0)
        domain.state()
        domain.autostart()


def main():
    uri, command = sys.argv[1:3]
    connection = libvirt.open(uri)
    if command == "define":
        directory = sys.argv[4]
        for name, xml in definitions(int(sys.argv[3])):
            connection.defineXML(xml)
            manual = "<metadata><r:reconcile xmlns:r='urn:virt:reconcile:1' power='manual'/></metadata>"
            with open(f"{directory}/{name}.xml", "w") as manifest:
                manifest.write(xml.replace("  <memory", f"  {manual}\n  <memory", 1))
        print("ready", flush=True)
        sys.stdin.read()
    elif command == "start":
        for _, xml in definitions(int(sys.argv[3])):
            connection.defineXML(xml).create()
        print("ready", flush=True)
        sys.stdin.read()
    else:
        read(connection, command == "readfull")


main()
