//! Fault matrix: faults, and the times at which they strike, in every step of every kind. Each cell is a
//! trial here, or names the one that shows it.

mod connection;
mod host;
mod keeper;
mod others;
mod scenarios;
mod sources;
mod storage;
mod strike;
mod watched;

use crate::support::{strace, trial, trial_if};
use libtest_mimic::Trial;
use std::path::Path;
use strike::Column;

/// Evidence for a cell of the matrix.
#[derive(Clone, Copy)]
enum Cell {
    /// A trial of this name in this directory, which gives the number of its runs.
    Here(fn(Column) -> usize),
    /// Trial while a watch keeps the host.
    Watched(fn() -> usize),
    /// Trial with a watch, under strace.
    WatchTraced(fn(&Path) -> usize),
    /// Trial with an apply, under strace.
    Traced(fn(Column, &Path) -> usize),
    /// Another trial, by name.
    By(&'static str),
    /// The fault cannot happen then.
    Never,
}

use Cell::{By, Here, Never, Traced, WatchTraced, Watched};

const CUT: Cell = By("faults/cut/after_any_byte_the_next_apply_converges");
const TERMINATED: Cell = By("real/kills/of_the_program_by_sigterm");
const LIBVIRT_FULL: Cell = By("real/kills/libvirtd_without_room");
const LOCK: Cell = By("watch/locks/f10_the_second_apply_is_told_who_has_the_host");
const QUARREL: Cell = By("watch/service/drift_is_repaired_and_a_quarrel_is_slowed");
const BY_VIRSH: Cell = By("real/watching/what_virsh_does_is_undone_within_two_seconds");

/// Faults 1 to 23; for each whether it strikes before a step, when its request is sent, when it has its
/// effect, when its reply has come, and while nothing is done.
const MATRIX: [(&str, [Cell; 5]); 23] = [
    (
        "the program is killed",
        in_steps(connection::program_killed, Watched(watched::program_killed)),
    ),
    (
        "the program is told to end",
        [
            TERMINATED,
            TERMINATED,
            TERMINATED,
            TERMINATED,
            By("watch/service/it_ends_on_sigterm_and_goes_on_on_sighup"),
        ],
    ),
    ("power is lost", {
        let all = By("faults/matrix/F03a");
        [Traced(|_, strace| storage::power_lost(strace)), all, all, all, all]
    }),
    ("the daemon is killed", in_steps(connection::daemon_killed, Watched(watched::daemon_killed))),
    (
        "the daemon is another version",
        in_steps(connection::daemon_of_another_version, Watched(watched::another_version)),
    ),
    ("the connection is cut after a request", {
        let cut = Here(connection::connection_cut);
        [Never, cut, cut, Never, Never]
    }),
    (
        "the connection is cut within a packet",
        [Never, CUT, CUT, Never, Watched(watched::connection_cut)],
    ),
    ("the reply is late", {
        let late = Here(connection::reply_late);
        [Never, late, late, Never, Watched(watched::reply_late)]
    }),
    (
        "the reply is none, comes twice, or events flood",
        [
            Never,
            By("faults/hostile/a_reply_to_no_call"),
            By("faults/hostile/a_reply_that_comes_twice"),
            By("faults/hostile/events_without_end_before_each_reply"),
            Watched(watched::flood),
        ],
    ),
    ("two applies on one host", [LOCK, LOCK, LOCK, LOCK, By("watch/locks/a_watch_waits_its_turn")]),
    (
        "two applies of the same manifests",
        in_steps(others::two_machines, Watched(watched::two_machines)),
    ),
    ("two applies of different manifests", in_steps(others::other_manifests, QUARREL)),
    ("a person changes the host", in_steps(others::by_hand, BY_VIRSH)),
    ("no room for our state", traced(storage::no_room, WatchTraced(storage::watch_without_room))),
    (
        "an error of the disk under our state",
        traced(storage::disk_error, WatchTraced(storage::watch_with_disk_error)),
    ),
    (
        "no room for the driver's definitions",
        [LIBVIRT_FULL, LIBVIRT_FULL, LIBVIRT_FULL, LIBVIRT_FULL, LIBVIRT_FULL],
    ),
    ("the clock is set", {
        let leaps = Here(sources::leaps_of_the_clock);
        [
            Here(sources::no_wall_clock),
            leaps,
            By("faults/matrix/F17b"),
            By("faults/matrix/F17b"),
            By("faults/matrix/F17a"),
        ]
    }),
    (
        "a manifest is half written",
        before(sources::half_written, "watch/files/f18_half_a_file_is_never_applied"),
    ),
    ("an editor swaps a manifest", idle("watch/files/f19_whatever_an_editor_does_is_one_change")),
    (
        "the directory of the manifests is swapped",
        before(sources::directory_swapped, "watch/files/f20_a_config_map_is_exchanged_whole"),
    ),
    ("events of files are lost", idle("watch/files/f21_a_flood_of_events_is_one_rescan")),
    (
        "all manifests are gone",
        before(sources::all_manifests_gone, "watch/files/f20_f22_what_vanishes_prunes_nothing"),
    ),
    (
        "one manifest is invalid",
        before(sources::one_manifest_invalid, "watch/files/f23_one_bad_file_holds_up_no_other"),
    ),
];

const fn in_steps(shown: fn(Column) -> usize, idle: Cell) -> [Cell; 5] {
    [Here(shown), Here(shown), Here(shown), Here(shown), idle]
}

const fn traced(shown: fn(Column, &Path) -> usize, idle: Cell) -> [Cell; 5] {
    [Traced(shown), Traced(shown), Traced(shown), Traced(shown), idle]
}

/// Returns the row of a fault that an apply meets once, before it begins.
const fn before(shown: fn(Column) -> usize, watched: &'static str) -> [Cell; 5] {
    [Here(shown), Never, Never, Never, By(watched)]
}

/// Returns the row of a fault that only a watch meets.
const fn idle(watched: &'static str) -> [Cell; 5] {
    [Never, Never, Never, Never, By(watched)]
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("faults/matrix/every_kind_of_step_is_met", host::every_kind_of_step_is_met),
        trial("faults/matrix/without_a_fault", connection::undisturbed),
    ];
    for (name, fault, cell, column) in cells() {
        let name = format!("faults/matrix/{name}");
        let title = name.clone();
        match (cell, column) {
            (Here(shown), Some(column)) => {
                trials.push(trial(name, move || says(&title, fault, shown(column))));
            }
            (Traced(shown), Some(column)) => {
                trials.push(trial_if(strace(), name, move |strace| {
                    says(&title, fault, shown(column, &strace));
                }));
            }
            (WatchTraced(shown), None) => {
                trials.push(trial_if(strace(), name, move |strace| {
                    says(&title, fault, shown(&strace));
                }));
            }
            (Watched(shown), None) => {
                trials.push(trial(name, move || says(&title, fault, shown())));
            }
            _ => {}
        }
    }
    trials
}

/// The columns by their letters. In the last nothing is done.
const COLUMNS: [(char, Option<Column>); 5] = [
    ('a', Some(Column::A)),
    ('b', Some(Column::B)),
    ('c', Some(Column::C)),
    ('d', Some(Column::D)),
    ('e', None),
];

/// Every cell with its name, its fault and its column.
fn cells() -> Vec<(String, &'static str, Cell, Option<Column>)> {
    let mut cells = Vec::new();
    for (number, (fault, row)) in (1..).zip(MATRIX) {
        for (cell, (letter, column)) in row.into_iter().zip(COLUMNS) {
            cells.push((format!("F{number:02}{letter}"), fault, cell, column));
        }
    }
    cells
}

#[expect(clippy::print_stdout, reason = "how many runs it was is worth seeing")]
fn says(name: &str, fault: &str, runs: usize) {
    assert!(runs > 0, "{name}: no runs");
    println!("{name}: {fault}: {runs} runs");
}

/// Checks that each cell is shown by an existing trial.
pub(crate) fn every_cell_is_shown(trials: &[Trial]) -> Trial {
    let names: Vec<String> = trials.iter().map(|trial| trial.name().to_owned()).collect();
    trial("faults/matrix/every_cell_is_shown", move || {
        for (name, fault, cell, column) in cells() {
            let own = format!("faults/matrix/{name}");
            let there = |name: &str| names.iter().any(|n| n == name);
            match cell {
                Here(_) | Traced(_) => assert!(column.is_some() && there(&own), "{name}: {fault}"),
                Watched(_) | WatchTraced(_) => {
                    assert!(column.is_none() && there(&own), "{name}: {fault}");
                }
                By(other) => assert!(there(other), "{name}: {fault}: there is no {other}"),
                Never => {}
            }
        }
    })
}
