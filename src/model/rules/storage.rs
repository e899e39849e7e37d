//! The rules for pools and volumes.

use super::rule::{DEFINE, OURS, Rule, SILENT, START};
use diagnostics::Severity::{Error, Warning};

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "backing-format",
        Warning,
        "a volume on an image whose format is not said, which libvirt takes for raw",
        "add the format of the image",
        SILENT,
    ),
    Rule::new(
        "bad-size",
        Error,
        "a size that does not fit 64 bits of bytes",
        "write a smaller number or unit",
        DEFINE,
    ),
    Rule::new(
        "duplicate-pool",
        Error,
        "two pools that are one directory",
        "keep one of them",
        DEFINE,
    ),
    Rule::new(
        "missing-capacity",
        Error,
        "a volume without a size and without a backing image to take it from",
        "add capacity",
        DEFINE,
    ),
    Rule::new("missing-name", Error, "a pool without a name of its own", "add a name", OURS),
    Rule::new(
        "missing-pool",
        Error,
        "a volume whose settings do not name its pool",
        "add the pool to its settings",
        OURS,
    ),
    Rule::new(
        "pool-feature",
        Error,
        "copy on write for a pool that is neither a directory nor a filesystem",
        "remove cow",
        DEFINE,
    ),
    Rule::new(
        "pool-hosts",
        Error,
        "several hosts for a pool that one host serves",
        "keep one of them",
        START,
    ),
    Rule::new(
        "read-out",
        Warning,
        "a value of storage that libvirt reads from the host",
        "remove it",
        SILENT,
    ),
];
