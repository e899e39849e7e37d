//! Limits and weights of a running domain: which field of its definition is which parameter of which
//! call.

use serde::{Deserialize, Serialize};

/// A group of parameters that one call sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Tuning {
    /// Shares and quotas of processor time: virDomainSetSchedulerParametersFlags.
    Scheduler,
    /// Limits of the host's memory: virDomainSetMemoryParameters.
    Memory,
    /// The nodes that memory comes from: virDomainSetNumaParameters.
    Numa,
    /// Weights and limits for the host's block devices: virDomainSetBlkioParameters.
    Blkio,
    /// Limits of one disk: virDomainSetBlockIoTune.
    BlockIo {
        /// The disk's target, such as `vda`.
        disk: String,
    },
    /// Polling of one I/O thread: virDomainSetIOThreadParams.
    IoThread {
        /// Number of the thread.
        id: u32,
    },
}

/// A parameter's value, with the type that libvirt wants for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TuningValue {
    /// 32 bits with a sign.
    Int(i32),
    /// 32 bits.
    UInt(u32),
    /// 64 bits with a sign.
    Long(i64),
    /// 64 bits.
    ULong(u64),
    /// Words.
    Text(String),
}

/// A parameter by libvirt's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TuningParameter {
    /// Name of the parameter.
    pub name: String,
    /// Value of the parameter.
    pub value: TuningValue,
}

/// Form in which a field is written as a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// 32 bits with a sign.
    Int,
    /// 32 bits.
    UInt,
    /// 64 bits with a sign.
    Long,
    /// 64 bits.
    ULong,
    /// An amount of memory in KiB, in 64 bits.
    KiB,
    /// Text, unchanged.
    Text,
}

/// A field that is a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TunedField {
    /// Path of the field, from the element that the table is about; `@` before an attribute.
    pub(crate) path: &'static str,
    /// Name of the parameter in libvirt.
    pub(crate) name: &'static str,
    /// Form of its value.
    pub(crate) form: Form,
    /// The value that says that there is no such limit, if one does.
    pub(crate) neutral: Option<&'static str>,
}

const fn row(
    path: &'static str,
    name: &'static str,
    form: Form,
    neutral: Option<&'static str>,
) -> TunedField {
    TunedField { path, name, form, neutral }
}

/// Fields of `<cputune>`. A quota of -1 means none; a share or a period cannot be taken back.
pub(crate) const SCHEDULER: &[TunedField] = &[
    row("shares", "cpu_shares", Form::ULong, None),
    row("period", "vcpu_period", Form::ULong, None),
    row("quota", "vcpu_quota", Form::Long, Some("-1")),
    row("global_period", "global_period", Form::ULong, None),
    row("global_quota", "global_quota", Form::Long, Some("-1")),
    row("emulator_period", "emulator_period", Form::ULong, None),
    row("emulator_quota", "emulator_quota", Form::Long, Some("-1")),
    row("iothread_period", "iothread_period", Form::ULong, None),
    row("iothread_quota", "iothread_quota", Form::Long, Some("-1")),
];

/// Value that libvirt writes for "unlimited": 2^53 - 1 KiB.
const UNLIMITED: Option<&str> = Some("9007199254740991");

/// `<memtune>`.
pub(crate) const MEMORY: &[TunedField] = &[
    row("hard_limit", "hard_limit", Form::KiB, UNLIMITED),
    row("soft_limit", "soft_limit", Form::KiB, UNLIMITED),
    row("swap_hard_limit", "swap_hard_limit", Form::KiB, UNLIMITED),
];

/// `<numatune>`.
pub(crate) const NUMA: &[TunedField] = &[row("memory/@nodeset", "numa_nodeset", Form::Text, None)];

/// `<blkiotune>`.
pub(crate) const BLKIO: &[TunedField] = &[row("weight", "weight", Form::UInt, None)];

/// `<device>` in `<blkiotune>`: each parameter is a list of paths and values.
pub(crate) const BLKIO_DEVICE: &[TunedField] = &[
    row("weight", "device_weight", Form::UInt, Some("0")),
    row("read_iops_sec", "device_read_iops_sec", Form::UInt, Some("0")),
    row("write_iops_sec", "device_write_iops_sec", Form::UInt, Some("0")),
    row("read_bytes_sec", "device_read_bytes_sec", Form::ULong, Some("0")),
    row("write_bytes_sec", "device_write_bytes_sec", Form::ULong, Some("0")),
];

macro_rules! limit {
    ($name:literal) => {
        row($name, $name, Form::ULong, Some("0"))
    };
}

/// `<iotune>` of a disk.
pub(crate) const BLOCK_IO: &[TunedField] = &[
    limit!("total_bytes_sec"),
    limit!("read_bytes_sec"),
    limit!("write_bytes_sec"),
    limit!("total_iops_sec"),
    limit!("read_iops_sec"),
    limit!("write_iops_sec"),
    limit!("total_bytes_sec_max"),
    limit!("read_bytes_sec_max"),
    limit!("write_bytes_sec_max"),
    limit!("total_iops_sec_max"),
    limit!("read_iops_sec_max"),
    limit!("write_iops_sec_max"),
    limit!("size_iops_sec"),
    limit!("total_bytes_sec_max_length"),
    limit!("read_bytes_sec_max_length"),
    limit!("write_bytes_sec_max_length"),
    limit!("total_iops_sec_max_length"),
    limit!("read_iops_sec_max_length"),
    limit!("write_iops_sec_max_length"),
    row("group_name", "group_name", Form::Text, None),
];

/// `<iothread>` in `<iothreadids>`.
pub(crate) const IO_THREAD: &[TunedField] = &[
    row("poll/@max", "poll_max_ns", Form::ULong, None),
    row("poll/@grow", "poll_grow", Form::UInt, None),
    row("poll/@shrink", "poll_shrink", Form::UInt, None),
    row("@thread_pool_min", "thread_pool_min", Form::Int, None),
    row("@thread_pool_max", "thread_pool_max", Form::Int, None),
];

impl Tuning {
    /// The fields that the call sets, from the element of the definition that holds them; those of
    /// block devices of the host aside.
    pub(crate) fn fields(&self) -> &'static [TunedField] {
        match self {
            Self::Scheduler => SCHEDULER,
            Self::Memory => MEMORY,
            Self::Numa => NUMA,
            Self::Blkio => BLKIO,
            Self::BlockIo { .. } => BLOCK_IO,
            Self::IoThread { .. } => IO_THREAD,
        }
    }
}

impl TunedField {
    /// The parameter for a value; `amount` reads an amount of memory in KiB. `None` if the value is
    /// none of its form.
    pub(crate) fn parameter(
        &self,
        value: &str,
        kib: impl Fn(&str) -> Option<u64>,
    ) -> Option<TuningParameter> {
        let value = value.trim();
        let value = match self.form {
            Form::Int => TuningValue::Int(value.parse().ok()?),
            Form::UInt => TuningValue::UInt(value.parse().ok()?),
            Form::Long => TuningValue::Long(value.parse().ok()?),
            Form::ULong => TuningValue::ULong(value.parse().ok()?),
            Form::KiB => TuningValue::ULong(kib(value)?),
            Form::Text => TuningValue::Text(value.to_owned()),
        };
        Some(TuningParameter { name: self.name.to_owned(), value })
    }
}
