//! Escapes of foreign strings for display: no character in them moves a cursor, hides, or changes the text
//! that a reader sees.

use super::hazard::is_hazard;
use super::redact::{blot, conceal, lead};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

/// Longest piece of a foreign string that a message quotes, in characters.
const EXCERPT: usize = 200;

/// Replaces hazards by visible escapes.
///
/// A manifest, a guest or a hypervisor may put them into a name; printed raw they could rewrite
/// what the terminal shows (kubectl's CVE-2021-25743).
pub fn escape(text: &str) -> String {
    if text.chars().all(|c| !is_hazard(c)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hazard(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A path as it may stand in a message: on one line, whatever its name has.
pub fn shown_path(path: &Path) -> String {
    escape(&path.to_string_lossy())
}

/// Escapes a text line by line, with all lines but the first indented by `indent` blanks. A hypervisor's
/// reason is shown whole, but for secrets: the cause is often at its end.
pub fn escape_lines(text: &str, indent: usize) -> String {
    let text = conceal(text);
    let lines: Vec<String> = text.trim_end().lines().map(|line| escape(line.trim_end())).collect();
    lines.join(&format!("\n{:indent$}", ""))
}

/// Escapes a text like [`escape`], without the secrets in it, and cuts it after 200 characters: for a
/// manifest's content, never for a host's messages.
pub fn excerpt(text: &str) -> String {
    let text = &*conceal(text);
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", escape(text.get(..end).unwrap_or(""))),
        None => escape(text),
    }
}

/// Most bytes around a place in a text that tell whether a secret is there.
const AROUND: usize = 1 << 14;

/// Returns a piece of a manifest as a message may quote it: the text around it shows which parts are secret.
pub fn excerpt_at(text: &str, start: usize, end: usize) -> String {
    let written = text.get(start..end).unwrap_or_default();
    let line = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let before = text.get(line..start).unwrap_or_default();
    if before.len() > AROUND || written.len() > AROUND {
        return "…".to_owned();
    }
    let behind = text.get(end..).unwrap_or_default();
    let behind = behind.lines().next().filter(|rest| rest.len() < AROUND).unwrap_or_default();
    let shown = blot(lead(text, line, AROUND), &format!("{before}{written}{behind}"));
    let skipped = before.chars().count();
    let piece: String = shown.iter().skip(skipped).take(written.chars().count()).collect();
    excerpt(&piece)
}

/// JSON with the hazards in its strings written as JSON's own escapes; it may have breaks between its
/// values.
pub fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !is_hazard(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // writing to a string does not fail
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Escapes a text on its way out of the program, whoever wrote it: sequences in `ours` and line breaks pass,
/// and every other hazard is escaped. Used last by all printers, as a safeguard.
pub fn printable<'a>(text: &'a str, ours: &[&[&str]]) -> Cow<'a, str> {
    filtered(text, ours, |c| c == '\n' || c == '\t')
}

/// Escapes like [`printable`], line breaks included, for a text of one line.
pub fn printable_line<'a>(text: &'a str, ours: &[&[&str]]) -> Cow<'a, str> {
    filtered(text, ours, |_| false)
}

fn filtered<'a>(text: &'a str, ours: &[&[&str]], passes: impl Fn(char) -> bool) -> Cow<'a, str> {
    let is_escaped = |c: char| is_hazard(c) && !passes(c);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match ours.iter().copied().flatten().find(|code| rest.starts_with(**code)) {
            Some(code) => {
                out.push_str(code);
                code.len()
            }
            None if is_escaped(c) => {
                out.extend(c.escape_default());
                c.len_utf8()
            }
            None => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_of_several_lines_is_shown_to_its_end() {
        let reason = format!("{}\n\u{1b}[2Jthe cause  \n", "x".repeat(1000));
        let shown = escape_lines(&reason, 4);
        assert_eq!(shown, format!("{}\n    \\u{{1b}}[2Jthe cause", "x".repeat(1000)));
    }

    #[test]
    fn only_what_is_ours_passes() {
        let ours = ["\u{1b}[31m", "\u{1b}[0m"];
        let text = "\u{1b}[31mred\u{1b}[0m\n\u{1b}[2J\u{1b}[32m\u{feff}\u{85}\u{2028}é\t\r";
        let shown = "\u{1b}[31mred\u{1b}[0m\n\\u{1b}[2J\\u{1b}[32m\\u{feff}\\u{85}\\u{2028}é\t\\r";
        assert_eq!(printable(text, &[&ours]), shown);
        assert_eq!(printable("plain\n", &[]), "plain\n");
        let line = "\u{1b}[31mred\u{1b}[0m\\n\\u{1b}[2J\\u{1b}[32m\\u{feff}\\u{85}\\u{2028}é\\t\\r";
        assert_eq!(printable_line(text, &[&ours]), line);
    }

    #[test]
    fn no_code_point_leaves_a_hazard() {
        for c in ('\0'..=char::MAX).filter(|c| is_hazard(*c)) {
            let text = format!("a{c}b");
            assert!(!escape(&text).contains(is_hazard), "{c:?}");
            assert!(!printable_line(&text, &[]).contains(is_hazard), "{c:?}");
            assert!(!printable(&text, &[]).contains(|c| is_hazard(c) && c != '\n' && c != '\t'));
            // JSON says the same in escapes of its own
            let json = escape_json(&serde_json::to_string(&text).unwrap_or_default());
            assert!(!json.contains(is_hazard), "{c:?} gave {json:?}");
            assert_eq!(serde_json::from_str::<String>(&json).ok(), Some(text));
        }
        assert_eq!(escape("web\u{1b}[2Jé"), "web\\u{1b}[2Jé");
        assert_eq!(escape_json("\"\u{e0041}\""), "\"\\udb40\\udc41\"");
    }
}
