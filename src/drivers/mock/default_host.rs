//! Initial contents of `test:///default`.

use crate::drivers::objects::errors::read;
use crate::drivers::objects::store::{Object, Store};
use crate::error::Result;
use crate::model::{Kind, State};

/// Returns one running domain and one active network, with the names and UUIDs that libvirt gives them.
pub(super) fn default_host() -> Result<Store> {
    let mut host = Store::default();
    for (kind, text) in [(Kind::Network, DEFAULT_NETWORK), (Kind::Domain, DEFAULT_DOMAIN)] {
        let definition = read(kind, text)?;
        let mut object = Object::defined(kind, definition, &host)?;
        object.start(&host, State::Running, 0);
        host.add(kind, object)?;
    }
    Ok(host)
}

const DEFAULT_DOMAIN: &str = "<domain type='test'>
  <name>test</name>
  <uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>
  <memory unit='GiB'>8</memory>
  <currentMemory unit='GiB'>2</currentMemory>
  <vcpu>2</vcpu>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file'>
      <source file='/guest/diskimage1'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <mac address='aa:bb:cc:dd:ee:ff'/>
      <source network='default'/>
    </interface>
    <memballoon model='virtio'/>
  </devices>
</domain>";

const DEFAULT_NETWORK: &str = "<network>
  <name>default</name>
  <uuid>dd8fe884-6c02-601e-7551-cca97df1c5df</uuid>
  <forward mode='nat'/>
  <bridge name='virbr0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>";
