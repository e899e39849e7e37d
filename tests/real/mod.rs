//! Tests against real hypervisors and tools, where they are installed.

mod convergence;
pub(crate) mod corpus;
mod deletion;
mod doctor;
mod drift;
mod edits;
mod events;
mod export;
mod fleet;
mod gate;
mod held_back;
mod host;
mod killed;
mod kills;
mod libvirtd;
mod lints;
mod live;
mod lost;
mod met;
mod moves;
mod oracle;
mod records;
mod release;
mod restart;
mod running;
mod samples;
mod sasl;
mod silent;
mod states;
mod test_driver;
mod tls;
mod transitions;
mod transports;
mod watching;
mod wellformed;
mod wild;
mod word;

use libtest_mimic::Trial;
use std::sync::Arc;

pub(crate) fn trials() -> Vec<Trial> {
    let pool = Arc::default();
    let groups = [
        convergence::trials(),
        corpus::trials(),
        libvirtd::trials(),
        live::trials(),
        sasl::trials(),
        test_driver::trials(),
        tls::trials(),
        transitions::trials(),
        transports::trials(),
        doctor::trials(),
        export::trials(),
        fleet::trials(),
        wellformed::trials(),
        wild::trials(),
        records::trials(&pool),
        restart::trials(&pool),
        running::trials(&pool),
        samples::trials(&pool),
        deletion::trials(&pool),
        drift::trials(&pool),
        edits::trials(&pool),
        events::trials(&pool),
        gate::trials(&pool),
        release::trials(&pool),
        held_back::trials(&pool),
        killed::trials(&pool),
        kills::trials(&pool),
        lints::trials(&pool),
        lost::trials(&pool),
        met::trials(&pool),
        moves::trials(&pool),
        silent::trials(&pool),
        states::trials(&pool),
        watching::trials(&pool),
        word::trials(&pool),
    ];
    groups.into_iter().flatten().collect()
}
