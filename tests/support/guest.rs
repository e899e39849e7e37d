//! A guest that boots: Debian's kernel for clouds, and a first process of a few lines that lets
//! devices, processors and memory come and go, and shuts down when its power button is pressed.

use super::{Needs, tool};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Directory into which `./check` unpacks the kernel's package.
const KERNEL: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/guest-kernel");

/// Modules in the order in which they need each other.
const MODULES: [&str; 8] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_balloon",
    "button",
    "evdev",
];

/// Init script of the guest. Any input is the power button: nothing else is pressed.
const INIT: &str = "#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs none /dev
$b mount -t proc none /proc
$b mount -t sysfs none /sys
for m in /mod/*; do $b insmod $m; done
if ! $b grep -q deaf /proc/cmdline; then
  for e in /dev/input/event*; do ($b head -c 24 $e >/dev/null && $b poweroff -f) & done
fi
echo READY
while :; do $b sleep 1000; done
";

/// Time limit of a boot; it takes 4 s where nothing else runs.
const BOOT: Duration = Duration::from_secs(90);

/// The files of a guest, in a directory of the test's.
pub(crate) struct Guest {
    kernel: PathBuf,
    initrd: PathBuf,
    console: PathBuf,
}

impl Guest {
    /// Checks that a guest can be booted here; the error is the reason why not.
    pub(crate) fn available() -> Needs {
        tool("busybox")?;
        kernel().map(drop).ok_or_else(|| "needs the guest's kernel (./check gets it)".to_owned())
    }

    /// Writes the files of the guest.
    pub(crate) fn new(directory: &Path) -> Self {
        let (kernel, modules) = kernel().unwrap();
        let initrd = directory.join("initrd.gz");
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].iter().find_map(|p| fs::read(p).ok());
        let mut archive = Archive::new(fs::File::create(&initrd).unwrap());
        for name in ["bin", "dev", "proc", "sys", "mod"] {
            archive.put(name, 0o040_755, &[]);
        }
        archive.put("bin/busybox", 0o100_755, &busybox.unwrap());
        archive.put("init", 0o100_755, INIT.as_bytes());
        for (n, module) in MODULES.iter().enumerate() {
            let file = find(&modules, &format!("{module}.ko")).unwrap();
            archive.put(&format!("mod/{n:02}.ko"), 0o100_644, &fs::read(file).unwrap());
        }
        archive.finish();
        Self { kernel, initrd, console: directory.join("console") }
    }

    /// Returns the content of `<os>` that boots it.
    pub(crate) fn boot(&self, options: &str) -> String {
        format!(
            "<kernel>{}</kernel><initrd>{}</initrd>\
             <cmdline>console=ttyS0 panic=-1 mitigations=off quiet {options}</cmdline>",
            self.kernel.display(),
            self.initrd.display()
        )
    }

    /// Returns its console as a device.
    pub(crate) fn serial(&self) -> String {
        format!("<serial type='file'><source path='{}'/></serial>", self.console.display())
    }

    /// Forgets the console's output before a boot.
    pub(crate) fn forget(&self) {
        fs::write(&self.console, "").unwrap();
    }

    /// Waits until it has booted.
    pub(crate) fn is_up(&self) {
        let deadline = Instant::now() + BOOT;
        let said = || fs::read(&self.console).unwrap_or_default();
        while !String::from_utf8_lossy(&said()).contains("READY") {
            assert!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&said()));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The kernel and the directory of its modules.
fn kernel() -> Option<(PathBuf, PathBuf)> {
    let boot = fs::read_dir(Path::new(KERNEL).join("boot")).ok()?;
    let kernel = boot
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("vmlinuz-")))?;
    Some((kernel, Path::new(KERNEL).join("lib/modules")))
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(directory).ok()?.filter_map(Result::ok).find_map(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => find(&path, name),
            false => (entry.file_name() == name).then_some(path),
        }
    })
}

/// An archive as the kernel unpacks it: cpio's `newc` form, compressed.
struct Archive(GzEncoder<fs::File>);

impl Archive {
    fn new(file: fs::File) -> Self {
        Self(GzEncoder::new(file, Compression::fast()))
    }

    fn put(&mut self, name: &str, mode: u32, content: &[u8]) {
        // magic, inode, mode, owner, group, links, time, size, device, its name's length, checksum
        let numbers =
            [0, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        let mut head = b"070701".to_vec();
        for number in numbers {
            write!(head, "{number:08x}").unwrap();
        }
        head.extend_from_slice(name.as_bytes());
        head.push(0);
        head.resize(head.len().next_multiple_of(4), 0);
        head.extend_from_slice(content);
        head.resize(head.len().next_multiple_of(4), 0);
        self.0.write_all(&head).unwrap();
    }

    fn finish(mut self) {
        self.put("TRAILER!!!", 0, &[]);
        self.0.finish().unwrap();
    }
}
