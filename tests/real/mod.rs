//! Against the real thing, where it is installed.

mod convergence;
mod corpus;
mod libvirtd;
mod test_driver;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [convergence::trials(), corpus::trials(), libvirtd::trials(), test_driver::trials()]
        .into_iter()
        .flatten()
        .collect()
}
