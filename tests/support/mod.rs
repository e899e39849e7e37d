//! Support shared by the tests: trials, directories, commands, a libvirtd of their own, a proxy before it,
//! drivers that record or fail.

mod command;
mod decorators;
mod guest;
mod libvirtd;
pub(crate) mod ops;
mod proxy;
mod share;
pub(crate) mod site;
mod trial;
mod watching;

pub(crate) use command::{Ran, run, strace, tool, virt};
pub(crate) use decorators::{Answering, Fault, Faulty, Recording};
pub(crate) use guest::Guest;
pub(crate) use libvirtd::{Libvirtd, groups};
pub(crate) use proxy::{Point, Proxy, REFUSED, Strike};
pub(crate) use share::{count, is_taken, whole_of};
pub(crate) use trial::{Needs, ignorable_if, testdata, trial, trial_if};
pub(crate) use watching::Watching;
