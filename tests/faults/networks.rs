//! Networks under running guests: the guests that a restart cuts off, and the remains of an interrupted one.

use crate::support::site::{Site, converge, observe, plan_for, walk};
use crate::support::trial;
use libtest_mimic::Trial;
use virt::drivers::{MockDriver, MockHost};
use virt::model::{Effect, Kind, NetworkCommand, NetworkOp, Op, ResourceId};
use virt::reconcile::{Options, Plan, Step, StepAction, fingerprint};
use xmltree::write_compact;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("faults/networks/stopped_under_guests_is_refused", stopped_under_guests),
        trial("faults/networks/a_card_comes_home_to_its_portgroup", portgroup),
        trial("faults/networks/home_is_up_before_cards_come_home", home_is_up_first),
        trial("faults/networks/who_selects_home_selects_its_cards", selected_by_home),
        trial("faults/networks/on_the_hosts_own_bridge_cut_off_nobody", on_a_host_bridge),
        trial("faults/networks/who_joins_makes_a_plan_stale", who_joins),
        trial("faults/networks/dhcp_hosts_change_places", change_places),
    ]
}

const NETWORK: &str = "<network><name>one</name>
  <metadata><virt:reconcile xmlns:virt='urn:virt:reconcile:1' power='running'/></metadata>
  <bridge name='virt-one' stp='on'/><ip address='10.9.0.1' prefix='24'/>
  <portgroup name='slow'/></network>";

/// Guest with an interface on the network and one on its bridge.
const GUEST: &str = "<domain type='test'><name>g</name><memory unit='MiB'>64</memory>
  <os><type>hvm</type></os><devices>
    <interface type='network'><source network='one' portgroup='slow'/></interface>
    <interface type='bridge'><source bridge='virt-one'/></interface>
  </devices></domain>";

/// A running guest on an active network.
fn on_a_network() -> (MockDriver, Site) {
    let driver = MockDriver::open(MockHost::Default, None).unwrap();
    let site = Site::new(&[("one.xml", NETWORK), ("g.xml", GUEST)]);
    assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
    (driver, site)
}

fn allowed() -> Options {
    Options { allow: [Effect::NetworkRestart].into(), ..Options::default() }
}

/// Returns each step as its object and its word.
fn words(plan: &Plan) -> Vec<String> {
    let word = |step: &Step| format!("{} {}", step.target.id, step.action.as_str());
    plan.steps.iter().map(word).collect()
}

/// Checks a network that is to go down, and stay down, and so cannot take the interfaces back.
fn stopped_under_guests() {
    let (driver, site) = on_a_network();
    site.write("one.xml", &NETWORK.replace("'running'", "'stopped'"));
    let plan = plan_for(&driver, &site.load(), &Options::default());
    let said: Vec<&str> = plan.refusals.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(said, ["running guests are on it: g"]);
    let (plan, report) = converge(&driver, &site.load(), &allowed());
    assert!(report.is_done() && plan.refusals.is_empty(), "{report:?}");
    assert_eq!(words(&plan), ["network/one define", "network/one destroy"]);
    let reasons = |plan: &Plan| plan.changes.iter().map(|c| c.reason.clone()).collect::<Vec<_>>();
    assert!(reasons(&plan).contains(&"the manifest changed; cut off: g".to_owned()), "{plan:?}");
    let again = plan_for(&driver, &site.load(), &Options::default());
    assert!(again.is_empty());
    assert_eq!(reasons(&again), ["in sync", "in sync"]);
}

/// Returns a restart that was interrupted once the network was down: its interfaces are parked, and the
/// manifest is the new one.
fn cut_short() -> (MockDriver, Site) {
    let (driver, site) = on_a_network();
    site.write("one.xml", &NETWORK.replace("stp='on'", "stp='off'"));
    let mut plan = plan_for(&driver, &site.load(), &allowed());
    let down = words(&plan).iter().position(|w| w == "network/one destroy").unwrap();
    plan.steps.truncate(down + 1);
    assert!(walk(&plan, &driver).is_done());
    assert!(sources(&driver).iter().all(|source| source.contains("aside")));
    (driver, site)
}

/// Returns the networks of the running guest's interfaces.
fn sources(driver: &MockDriver) -> Vec<String> {
    let observed = observe(driver);
    let guest = observed.resources.get(&ResourceId::new(Kind::Domain, "g")).unwrap();
    let devices = guest.live.as_ref().unwrap().root().child("devices").unwrap();
    let nics = devices.children_named("interface");
    nics.map(|nic| write_compact(nic.child("source").unwrap().as_element())).collect()
}

fn are_home(driver: &MockDriver) {
    let home = ["<source network='one' portgroup='slow'/>", "<source bridge='virt-one'/>"];
    assert_eq!(sources(driver), home);
    let observed = observe(driver);
    let names: Vec<_> = observed.resources.keys().map(|id| id.name.as_str()).collect();
    assert!(!names.iter().any(|name| name.contains("aside")), "{names:?}");
}

fn portgroup() {
    let (driver, site) = cut_short();
    let (plan, report) = converge(&driver, &site.load(), &Options::default());
    assert!(report.is_done(), "{plan:?} {report:?}");
    are_home(&driver);
}

/// Checks that the manifests of another set, which do not bring the network up, leave the interfaces where
/// they are.
fn home_is_up_first() {
    let (driver, site) = cut_short();
    let network = NETWORK.replace("one", "two").replace("10.9", "10.8");
    let other = Site::new(&[("virt.toml", "set = \"other\"\n"), ("two.xml", &network)]);
    let (plan, report) = converge(&driver, &other.load(), &Options::default());
    assert!(report.is_done());
    assert_eq!(words(&plan), ["network/two define", "network/two create"]);
    let id = ResourceId::new(Kind::Network, "one");
    // somebody else brings it up
    let mut plan = plan_for(&driver, &site.load(), &Options::default());
    plan.steps.retain(|step| step.target.id == id);
    plan.steps.iter_mut().for_each(|step| step.after.clear());
    assert!(walk(&plan, &driver).is_done());
    assert!(converge(&driver, &other.load(), &Options::default()).1.is_done());
    are_home(&driver);
}

fn selected_by_home() {
    let (driver, site) = cut_short();
    let only = [ResourceId::new(Kind::Network, "one")].into();
    let options = Options { only, ..Options::default() };
    assert!(converge(&driver, &site.load(), &options).1.is_done());
    are_home(&driver);
}

/// A network that only names a bridge of the host leaves it alone when it goes down.
fn on_a_host_bridge() {
    let network = |more: &str| {
        format!(
            "<network><name>one</name><forward mode='bridge'/><bridge name='virt-one'/>{more}</network>"
        )
    };
    let driver = MockDriver::open(MockHost::Default, None).unwrap();
    let site = Site::new(&[("one.xml", &network("")), ("g.xml", GUEST)]);
    assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
    let before = sources(&driver);
    site.write("one.xml", &network("<virtualport type='openvswitch'/>"));
    let (plan, report) = converge(&driver, &site.load(), &Options::default());
    assert!(report.is_done());
    let restart = ["network/one define", "network/one destroy", "network/one create"];
    assert_eq!(words(&plan), [&restart[..], &["network/one wait"]].concat());
    assert_eq!(sources(&driver), before);
    let again = plan_for(&driver, &site.load(), &Options::default());
    assert!(again.is_empty() && !again.has_pending(), "{again:?}");
}

/// Checks that a permission for a restart covers only the guests that were shown.
fn who_joins() {
    let (driver, site) = on_a_network();
    site.write("one.xml", &NETWORK.replace("stp='on'", "stp='off'"));
    let plan = plan_for(&driver, &site.load(), &allowed());
    assert_eq!(fingerprint(&observe(&driver), &plan.steps), plan.fingerprint);
    let join = |name: &str, guest: &str| {
        let guest = guest.replace("<name>g", &format!("<name>{name}"));
        let other = Site::new(&[("virt.toml", "set = \"other\"\n"), ("g.xml", &guest)]);
        assert!(converge(&driver, &other.load(), &Options::default()).1.is_done());
    };
    join(
        "elsewhere",
        &GUEST.replace("='one' portgroup='slow'", "='default'").replace("virt-one", "br0"),
    );
    assert_eq!(fingerprint(&observe(&driver), &plan.steps), plan.fingerprint);
    join("joined", GUEST);
    assert_ne!(fingerprint(&observe(&driver), &plan.steps), plan.fingerprint);
}

/// The host changes the first entry that has the MAC address, the IP address or the name of a new one,
/// whosever that is.
fn change_places() {
    let network = |hosts: &[&str]| {
        let host = |h: &&str| format!("<host {h}/>");
        let hosts: String = hosts.iter().map(host).collect();
        NETWORK.replace("prefix='24'/>", &format!("prefix='24'><dhcp>{hosts}</dhcp></ip>"))
    };
    let a = |rest: &str| format!("mac='52:54:00:00:00:0a' {rest}");
    let b = |rest: &str| format!("mac='52:54:00:00:00:0b' {rest}");
    let c = |rest: &str| format!("mac='52:54:00:00:00:0c' {rest}");
    let named = |name: &str, rest: &str| format!("name='{name}' {rest}");
    let (x, y) = ("ip='10.9.0.11'", "ip='10.9.0.12'");
    // from, to, and how many entries are changed in their place
    let cases: [(Vec<String>, Vec<String>, usize); 6] = [
        (vec![b(y), a(x)], vec![a("ip='10.9.0.13'"), b(y)], 1),
        (vec![b(y), a(x)], vec![a(y), b("ip='10.9.0.13'")], 1),
        (vec![b(y), a(x)], vec![a(y), b(x)], 0),
        (vec![c(y), b(x)], vec![b(y), a(x)], 0),
        (vec![a(&format!("name='n' {x}")), b(y)], vec![a(x), b(&format!("name='n' {y}"))], 1),
        (vec![named("B", y), named("A", x)], vec![named("A", y), named("B", x)], 0),
    ];
    for (from, to, modified) in cases {
        let text =
            |hosts: &[String]| network(&hosts.iter().map(String::as_str).collect::<Vec<_>>());
        let driver = MockDriver::open(MockHost::Default, None).unwrap();
        let site = Site::new(&[("one.xml", &text(&from))]);
        assert!(converge(&driver, &site.load(), &Options::default()).1.is_done());
        site.write("one.xml", &text(&to));
        let (plan, report) = converge(&driver, &site.load(), &Options::default());
        assert!(report.is_done(), "{from:?} {to:?} {:?} {report:?}", plan.steps);
        let modify = |step: &&Step| {
            let StepAction::Call(Op::Network(NetworkOp::Update { command, .. })) = &step.action
            else {
                return false;
            };
            *command == NetworkCommand::Modify
        };
        assert_eq!(plan.steps.iter().filter(modify).count(), modified, "{:?}", plan.steps);
        let again = plan_for(&driver, &site.load(), &Options::default());
        assert!(again.is_empty() && !again.has_pending(), "{:?}", again.steps);
    }
}
