//! Documents with bytes changed at random: the test driver answers all, and those that it accepts can be read
//! back from its state file.

use crate::support::trial;
use libtest_mimic::Trial;
use virt::drivers::{Driver, ExecContext, MockDriver, MockHost};
use virt::model::{
    Affect, Call, DomainOp, Kind, MetadataKind, NetworkCommand, NetworkOp, NetworkSection, Outcome,
    ResourceId, Scope, Target, Uuid,
};

/// The failing round is named, and the rounds are the same each time.
const ROUNDS: u64 = 700;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("faults/garbage/is_answered_and_can_be_read_back", is_answered_and_can_be_read_back)]
}

const DOMAIN: &str = "<domain type='test'><name>g</name>\
    <uuid>6695eb01-f6a4-8304-79aa-97f2502e193e</uuid><title>t &amp; \u{e9}</title>\
    <metadata><a:b xmlns:a='urn:a' c='&quot;&#10;'>x<d/>y</a:b></metadata><memory>9</memory>\
    <vcpu current='1'>2</vcpu><os><type>hvm</type></os><devices><disk><target dev='vda'/></disk>\
    <interface><mac address='52:54:00:00:00:01'/></interface></devices></domain>";

const NETWORK: &str = "<network><name>g</name><uuid>dd8fe884-6c02-601e-7551-cca97df1c5de</uuid>\
    <forward mode='nat'/><mac address='52:54:00:00:00:01'/><ip address='10.0.0.1'><dhcp>\
    <host mac='52:54:00:00:00:02' ip='10.0.0.2'/></dhcp></ip></network>";

fn is_answered_and_can_be_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut taken = 0;
    let state = directory.path().join("state.xml");
    let driver = MockDriver::open(MockHost::Default, Some(state)).unwrap();
    for round in 1..=ROUNDS {
        let mut random = Random(round);
        let call = random.call();
        match &driver.execute(std::slice::from_ref(&call), &ExecContext::default())[..] {
            [Outcome::Done] => taken += 1,
            [Outcome::Refused(_)] => {}
            other => panic!("round {round}: {call:?}: {other:?}"),
        }
        // this reads the file again
        let seen = driver.observe(&Scope::all());
        assert!(seen.is_ok(), "round {round}: {call:?}: {seen:?}");
    }
    assert!(taken > ROUNDS / 20, "only {taken} taken");
}

/// Generator splitmix64, with the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    /// The text with up to three characters replaced, removed or doubled.
    fn spoil(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..self.below(4) {
            let at = self.below(chars.len());
            let new = ['<', '>', '\'', '&', '/', ' ', '0', '-', ':', '\n', '\0', '\u{1}', '\u{e9}'];
            match self.below(3) {
                0 => chars[at] = new[self.below(new.len())],
                1 if chars.len() > 1 => drop(chars.remove(at)),
                _ => chars.insert(at, chars[at]),
            }
        }
        chars.into_iter().collect()
    }

    fn call(&mut self) -> Call {
        let affect = [Affect::Live, Affect::Config, Affect::Both][self.below(3)];
        let domain = "6695eb01-f6a4-8304-79aa-97f2502e193f";
        let network = "dd8fe884-6c02-601e-7551-cca97df1c5df";
        let (kind, uuid, op) = match self.below(8) {
            0 | 1 => (Kind::Domain, domain, DomainOp::Define { xml: self.spoil(DOMAIN) }.into()),
            2 => (Kind::Network, network, NetworkOp::Define { xml: self.spoil(NETWORK) }.into()),
            3 => {
                let xml = self.spoil("<disk type='file'><target dev='vdb' bus='virtio'/></disk>");
                let op = [
                    DomainOp::Attach { xml: xml.clone(), affect },
                    DomainOp::Detach { xml, affect },
                ];
                (Kind::Domain, domain, op[self.below(2)].clone().into())
            }
            4 => {
                let xml = self.spoil("<disk><source file='/b'/><target dev='vda'/></disk>");
                (Kind::Domain, domain, DomainOp::Update { xml, affect }.into())
            }
            5 | 6 => {
                let element =
                    MetadataKind::Element { key: self.spoil("key"), uri: self.spoil("urn:key") };
                let kinds = [MetadataKind::Title, MetadataKind::Description, element];
                let kind = kinds[self.below(3)].clone();
                let value = Some(self.spoil("<a b='c'>&lt;d<e/></a>"));
                (Kind::Domain, domain, DomainOp::SetMetadata { kind, value, affect }.into())
            }
            _ => {
                let xml = self.spoil("<host mac='52:54:00:00:00:03' ip='192.168.122.9'/>");
                let command = NetworkCommand::AddLast;
                let section = NetworkSection::IpDhcpHost;
                let parent = [-1, 0, 7][self.below(3)];
                let op = NetworkOp::Update { command, section, parent, xml, affect }.into();
                (Kind::Network, network, op)
            }
        };
        let target =
            Target { id: ResourceId::new(kind, "any"), uuid: Uuid::try_parse(uuid).unwrap() };
        Call { target, op }
    }
}
