//! Values that stand side by side in a row: in one unit, and short where they are the same.

use super::reach::is_whole;
use crate::model::memory_bytes;
use diagnostics::escape;
use xmltree::Path;

/// Longest value that a line shows, in characters.
const VALUE: usize = 72;

/// How much of what long values have in common stands before and behind what they have not, in
/// characters.
const AROUND: usize = 16;

/// What stands for a value that is not there.
const NONE: &str = "—";

/// The values of one row, to be compared by eye: in one unit and cut, unless they reach out of the guest.
pub(super) fn row(path: &Path, values: &[Option<&str>]) -> Vec<String> {
    if values.iter().flatten().any(|value| is_whole(path, value)) {
        let whole = |value: &Option<&str>| value.map_or_else(|| NONE.to_owned(), bounded);
        return values.iter().map(whole).collect();
    }
    short(values)
}

/// A value, whole, in quotes where its bounds would not be seen.
fn bounded(value: &str) -> String {
    let is_odd = value.is_empty() || value.trim() != value;
    if is_odd { format!("\"{}\"", escape(value)) } else { escape(value) }
}

fn short(values: &[Option<&str>]) -> Vec<String> {
    let mut lines: Vec<Option<String>> = values.iter().map(|value| value.map(one_line)).collect();
    in_one_unit(&mut lines);
    where_they_differ(&mut lines);
    lines.iter().map(|line| line.as_deref().map_or_else(|| NONE.to_owned(), cut)).collect()
}

fn one_line(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value in a line that is not too long.
fn cut(line: &str) -> String {
    match line.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", escape(line.get(..end).unwrap_or_default())),
        None if line.is_empty() => "\"\"".to_owned(),
        None => escape(line),
    }
}

/// Units from the largest on.
const UNITS: [&str; 6] = ["EiB", "PiB", "TiB", "GiB", "MiB", "KiB"];

/// Amounts in different units become amounts in the largest one in which all of them are whole.
fn in_one_unit(lines: &mut [Option<String>]) {
    let amount = |line: &String| {
        let (number, unit) = line.split_once(' ')?;
        Some((memory_bytes(number, unit).ok()?, unit.to_owned()))
    };
    let there: Vec<&String> = lines.iter().flatten().collect();
    let Some(amounts) = there.into_iter().map(amount).collect::<Option<Vec<_>>>() else { return };
    if amounts.windows(2).all(|pair| matches!(pair, [(_, a), (_, b)] if a == b)) {
        return;
    }
    let whole = |unit: &&&str| {
        let size = memory_bytes("1", unit).unwrap_or(u64::MAX);
        amounts.iter().all(|(bytes, _)| bytes.is_multiple_of(size))
    };
    let unit = UNITS.iter().find(whole).copied().unwrap_or("bytes");
    let size = memory_bytes("1", unit).unwrap_or(1);
    for (line, (bytes, _)) in lines.iter_mut().flatten().zip(amounts) {
        *line = format!("{} {unit}", bytes / size);
    }
}

/// Of long values, what they begin and end with together is left out, except for a little of it.
fn where_they_differ(lines: &mut [Option<String>]) {
    let texts: Vec<Vec<char>> = lines.iter().flatten().map(|l| l.chars().collect()).collect();
    let [first, rest @ ..] = texts.as_slice() else { return };
    if rest.is_empty() || texts.iter().all(|text| text.len() <= VALUE) {
        return;
    }
    let shortest = texts.iter().map(Vec::len).min().unwrap_or_default();
    let same = |place: &dyn Fn(&[char]) -> Option<char>| {
        rest.iter().all(|text| place(text) == place(first))
    };
    let start = (0..shortest).take_while(|n| same(&|text| text.get(*n).copied())).count();
    let end =
        (0..shortest - start).take_while(|n| same(&|text| text.iter().rev().nth(*n).copied()));
    let end = end.count();
    let (skipped, left) = (start.saturating_sub(AROUND), end.saturating_sub(AROUND));
    for (line, text) in lines.iter_mut().flatten().zip(&texts) {
        let middle = text.get(skipped..text.len() - left).unwrap_or_default();
        let before = if skipped > 0 { "…" } else { "" };
        let behind = if left > 0 { "…" } else { "" };
        *line = format!("{before}{}{behind}", middle.iter().collect::<String>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_one_unit() {
        for (values, expected) in [
            (["65536 KiB", "128 MiB"], ["64 MiB", "128 MiB"]),
            (["1048576 KiB", "2 GiB"], ["1 GiB", "2 GiB"]),
            (["65537 KiB", "128 MiB"], ["65537 KiB", "131072 KiB"]),
            (["1000 B", "1 KiB"], ["1000 bytes", "1024 bytes"]),
            // both are so already
            (["65536 KiB", "131072 KiB"], ["65536 KiB", "131072 KiB"]),
            (["65536 KiB", "many MiB"], ["65536 KiB", "many MiB"]),
            (["64", "128 MiB"], ["64", "128 MiB"]),
        ] {
            assert_eq!(short(&values.map(Some)), expected);
        }
        assert_eq!(short(&[None, Some("65536 KiB")]), ["—", "65536 KiB"]);
        assert_eq!(
            short(&[Some("65536 KiB"), None, Some("1 GiB"), Some("64 MiB")]),
            ["64 MiB", "—", "1024 MiB", "64 MiB"]
        );
    }

    #[test]
    fn long_values_are_shown_where_they_differ() {
        let value = |word: &str, tail: &str| format!("{}{word}{tail}", "abcdefghij".repeat(9));
        let tail = "0123456789".repeat(9);
        let (old, new) = (value("old", &tail), value("new one", &tail));
        assert_eq!(
            short(&[Some(&old), Some(&new)]),
            ["…efghijabcdefghijold0123456789012345…", "…efghijabcdefghijnew one0123456789012345…"]
        );
        let (old, new) = (value("", ""), value("new", ""));
        assert_eq!(short(&[Some(&old), Some(&new)]), ["…efghijabcdefghij", "…efghijabcdefghijnew"]);
        // what is left is as long as ever
        let (old, new) = ("x".repeat(100), "y".repeat(100));
        assert_eq!(
            short(&[Some(&old), Some(&new)]),
            [format!("{}…", "x".repeat(72)), format!("{}…", "y".repeat(72))]
        );
        // alone it is only cut
        assert_eq!(short(&[Some(&old), None]), [format!("{}…", "x".repeat(72)), "—".to_owned()]);
        assert_eq!(short(&[Some("short"), Some("shorter")]), ["short", "shorter"]);
        assert_eq!(short(&[Some(""), Some("a\n b")]), ["\"\"", "a b"]);
    }

    #[test]
    fn what_reaches_out_is_whole() {
        let long = |end: &str| format!("/var/lib/libvirt/images/{}{end}", "web/../".repeat(20));
        let path = |text: &str| Path::parse(text).expect("a path");
        for (at, value) in [
            ("devices/emulator", long("../tmp/evil")),
            ("devices/disk[target/@dev='vda']/source/@file", long("../etc/shadow")),
            (
                "devices/serial[1]",
                format!("<serial type='file'><source path='{}'/></serial>", long("x")),
            ),
            ("devices/interface[1]/source/@dev", "x".repeat(100)),
            ("devices/memory[1]/source/path", long("x")),
            ("os/loader", long("x")),
            ("os/nvram/@template", long("x")),
            ("qemu:commandline/qemu:arg", "x".repeat(100)),
            ("bridge/@name", "x".repeat(100)),
            ("forward/interface[@dev='a']/@dev", "x".repeat(100)),
            ("dnsmasq:options/dnsmasq:option", "x".repeat(100)),
            ("os/kernel", format!("  {}", long("x"))),
        ] {
            let other = value.replacen('x', "y", 1);
            for row in [[None, Some(value.as_str())], [Some(&value), Some(&other)]] {
                let shown = row.map(|value| value.map_or("—".to_owned(), bounded));
                assert_eq!(super::row(&path(at), &row), shown, "{at}");
            }
        }
        let words = format!("see '/etc' {}", "x".repeat(100));
        for at in ["description", "title", "metadata/a:b"] {
            assert!(super::row(&path(at), &[Some(&words)]).concat().ends_with('…'), "{at}");
        }
        let controller = format!("<controller type='usb' model='{}'/>", "x".repeat(80));
        let shown = super::row(&path("devices/controller[1]"), &[Some(&controller)]);
        assert!(shown.concat().ends_with('…'), "{shown:?}");
    }
}
