//! Limits, weights, pins and I/O threads of a running domain.

use super::errors::fault;
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{
    BLKIO_DEVICE, Form, LifecycleAction, LifecycleEvent, Pinned, Tuning, TuningParameter,
    TuningValue, written_set,
};
use std::collections::BTreeSet;
use xmltree::{Element, Node};

/// Most I/O threads that are named one by one.
const IO_THREADS_MAX: usize = 1024;

/// The parts of `<cputune>` in the order in which libvirt prints them, parameters first.
const PINS: [&str; 3] = ["vcpupin", "emulatorpin", "iothreadpin"];

/// Puts what is in `<cputune>` in libvirt's order, whenever it came.
fn sort_cputune(definition: &mut Element) {
    let Some(tune) = definition.child_mut("cputune") else { return };
    let place = |e: &Element| {
        let pin = PINS.iter().position(|name| e.is(name));
        let field = Tuning::Scheduler.fields().iter().position(|row| e.is(row.path));
        let number = e.attr("vcpu").or(e.attr("iothread")).and_then(|n| n.parse::<u32>().ok());
        (pin, field, number)
    };
    let mut parts: Vec<Element> = tune.elements().cloned().collect();
    parts.sort_by_key(place);
    tune.children = parts.into_iter().map(Node::Element).collect();
}

/// Says where something runs.
pub(crate) fn pin(definition: &mut Element, what: Pinned, cpus: &BTreeSet<u32>) -> Result<()> {
    if cpus.is_empty() {
        return Err(invalid("no processor is left to run on".to_owned()));
    }
    let tune = definition.child_or_new("cputune");
    let (name, number) = match what {
        Pinned::Vcpu(n) => ("vcpupin", Some(("vcpu", n))),
        Pinned::Emulator => ("emulatorpin", None),
        Pinned::IoThread(n) => ("iothreadpin", Some(("iothread", n))),
    };
    let mut pin = Element::new(name);
    if let Some((attribute, n)) = number {
        pin.set_attr(attribute, n.to_string());
    }
    let key = |e: &Element| number.map(|(attribute, _)| e.attr(attribute).map(str::to_owned));
    tune.remove_elements(|e| e.is(name) && key(e) == key(&pin));
    tune.push(pin.with_attr("cpuset", written_set(cpus)));
    sort_cputune(definition);
    Ok(())
}

/// Sets parameters: each to the field that it is.
pub(crate) fn tune(
    definition: &mut Element,
    what: &Tuning,
    parameters: &[TuningParameter],
) -> Result<()> {
    for parameter in parameters {
        match BLKIO_DEVICE.iter().find(|row| row.name == parameter.name) {
            Some(row) if *what == Tuning::Blkio => devices(definition, row.path, parameter)?,
            _ => {
                let unknown = || invalid(format!("parameter '{}' not supported", parameter.name));
                let fields = what.fields();
                let row = fields.iter().find(|r| r.name == parameter.name).ok_or_else(unknown)?;
                let value = written(&parameter.value);
                let none = row.neutral == Some(&value) && row.form != Form::Long;
                let unit = (row.form == Form::KiB).then_some("KiB");
                put(tuned(definition, what)?, row.path, (!none).then_some(value), unit);
            }
        }
    }
    sort_cputune(definition);
    Ok(())
}

/// The element that has the parameters.
fn tuned<'a>(definition: &'a mut Element, what: &Tuning) -> Result<&'a mut Element> {
    Ok(match what {
        Tuning::Scheduler => definition.child_or_new("cputune"),
        Tuning::Memory => definition.child_or_new("memtune"),
        Tuning::Numa => definition.child_or_new("numatune"),
        Tuning::Blkio => definition.child_or_new("blkiotune"),
        Tuning::BlockIo { disk } => {
            let devices = definition.child_or_new("devices");
            let found = devices.elements_mut().find(|e| {
                e.is("disk") && e.child("target").and_then(|t| t.attr("dev")) == Some(disk)
            });
            let missing = || invalid(format!("disk '{disk}' was not found in the domain config"));
            found.ok_or_else(missing)?.child_or_new("iotune")
        }
        Tuning::IoThread { id } => {
            let ids = io_threads(definition);
            let found = ids.elements_mut().find(|e| number(e) == Some(*id));
            found.ok_or_else(|| no_thread(*id))?
        }
    })
}

/// A list of paths of block devices, each with its value.
fn devices(definition: &mut Element, field: &str, parameter: &TuningParameter) -> Result<()> {
    let list = written(&parameter.value);
    let words: Vec<&str> = list.split(',').collect();
    for pair in words.chunks(2) {
        let [path, value] = pair else {
            return Err(invalid(format!("unable to parse blkio device '{list}'")));
        };
        let tune = definition.child_or_new("blkiotune");
        let is_it = |e: &Element| e.is("device") && e.child_text("path").as_deref() == Some(*path);
        if !tune.elements().any(is_it) {
            tune.push(Element::new("device").with_child(Element::new("path").with_text(*path)));
        }
        if let Some(device) = tune.elements_mut().find(|e| is_it(e)) {
            put(device, field, (*value != "0").then(|| (*value).to_owned()), None);
        }
        tune.remove_elements(|e| is_it(e) && e.elements().count() == 1);
    }
    Ok(())
}

/// Sets or removes what is at a short path such as `poll/@max` or `shares`.
fn put(element: &mut Element, path: &str, value: Option<String>, unit: Option<&str>) {
    let (parents, last) = path.rsplit_once('/').unwrap_or(("", path));
    let mut at = element;
    for name in parents.split('/').filter(|name| !name.is_empty()) {
        at = at.child_or_new(name);
    }
    match (last.strip_prefix('@'), value) {
        (Some(attribute), value) => at.put_attr(attribute, value.as_deref()),
        (None, Some(value)) => {
            let child = at.child_or_new(last);
            child.set_text(value);
            child.put_attr("unit", unit);
        }
        (None, None) => {
            at.remove_elements(|e| e.is(last));
        }
    }
}

fn written(value: &TuningValue) -> String {
    match value {
        TuningValue::Int(n) => n.to_string(),
        TuningValue::UInt(n) => n.to_string(),
        TuningValue::Long(n) => n.to_string(),
        TuningValue::ULong(n) => n.to_string(),
        TuningValue::Text(text) => text.clone(),
    }
}

/// The I/O threads of a domain, those named that it only counts: from 1 on.
fn io_threads(definition: &mut Element) -> &mut Element {
    let count = definition.child_text("iothreads").and_then(|n| n.parse::<usize>().ok());
    let ids = definition.child_or_new("iothreadids");
    let mut id = 1;
    while ids.elements().count() < count.unwrap_or(0).min(IO_THREADS_MAX) {
        if !ids.elements().any(|e| number(e) == Some(id)) {
            ids.push(Element::new("iothread").with_attr("id", id.to_string()));
        }
        id += 1;
    }
    ids
}

/// One more I/O thread.
pub(crate) fn add_io_thread(definition: &mut Element, id: u32) -> Result<()> {
    let ids = io_threads(definition);
    if ids.elements().any(|e| number(e) == Some(id)) {
        return Err(invalid(format!("an IOThread is already using iothread_id '{id}'")));
    }
    ids.push(Element::new("iothread").with_attr("id", id.to_string()));
    count_io_threads(definition);
    Ok(())
}

/// One I/O thread less, if no disk uses it.
pub(crate) fn delete_io_thread(definition: &mut Element, id: u32) -> Result<()> {
    let name = id.to_string();
    let uses = |device: &Element| {
        device.child("driver").and_then(|d| d.attr("iothread")) == Some(name.as_str())
    };
    if definition.child("devices").is_some_and(|d| d.elements().any(uses)) {
        let message = format!("cannot remove IOThread '{id}' since it is being used by a disk");
        return Err(invalid(message));
    }
    let ids = io_threads(definition);
    if !ids.remove_elements(|e| number(e) == Some(id)) {
        return Err(no_thread(id));
    }
    count_io_threads(definition);
    Ok(())
}

fn count_io_threads(definition: &mut Element) {
    let count = definition.child("iothreadids").map_or(0, |ids| ids.elements().count());
    if count == 0 {
        definition.remove_elements(|e| e.is("iothreadids") || e.is("iothreads"));
    } else {
        definition.child_or_new("iothreads").set_text(count.to_string());
    }
}

/// Sets the reaction to an action of the guest itself.
pub(crate) fn set_lifecycle(
    definition: &mut Element,
    event: LifecycleEvent,
    action: LifecycleAction,
) {
    definition.child_or_new(event.element()).set_text(action.as_str());
}

/// How often the balloon tells statistics.
pub(crate) fn set_stats_period(definition: &mut Element, seconds: u32) -> Result<()> {
    let balloon = definition.child_mut("devices").and_then(|d| d.child_mut("memballoon"));
    let balloon = balloon.ok_or_else(|| {
        invalid("Memory balloon model must be virtio to set the collection period".to_owned())
    })?;
    if seconds == 0 {
        balloon.remove_elements(|e| e.is("stats"));
    } else {
        balloon.child_or_new("stats").set_attr("period", seconds.to_string());
    }
    Ok(())
}

fn number(thread: &Element) -> Option<u32> {
    thread.attr("id")?.parse().ok()
}

fn no_thread(id: u32) -> Error {
    invalid(format!("cannot find IOThread '{id}' in iothreadids list"))
}

fn invalid(message: String) -> Error {
    fault(ErrorCode::INVALID_ARG, ErrorDomain::TEST, message)
}
