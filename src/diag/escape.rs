//! Foreign strings as they may be shown: no character in them moves a cursor, hides, or turns what a
//! reader sees.

use super::hazard::is_hazard;
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

/// A text of several lines, each escaped, and those after the first indented by so many blanks. What
/// a hypervisor gives as its reason is shown whole: the cause is often at its end.
pub fn escape_lines(text: &str, indent: usize) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(|line| escape(line.trim_end())).collect();
    lines.join(&format!("\n{:indent$}", ""))
}

/// Like [`escape`], and cut after 200 characters: for what a manifest has, never for what a host says.
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", escape(text.get(..end).unwrap_or(""))),
        None => escape(text),
    }
}

/// Parts of words for passwords, slips of the keyboard among them.
const SECRETS: [&str; 5] = ["passw", "paswd", "passd", "pasword", "pwd"];

/// A line of a manifest as it may be shown: what is assigned to a word for a password, and the text
/// of such an element or of a cookie, become asterisks of the same length. Rather too much is hidden
/// than too little.
pub(super) fn blot(line: &[char]) -> Vec<char> {
    let mut out = line.to_vec();
    // one character for one character
    let lower: Vec<char> = line.iter().map(char::to_ascii_lowercase).collect();
    let starts = |at: usize, word: &str| {
        word.chars().enumerate().all(|(i, c)| lower.get(at + i) == Some(&c))
    };
    for at in 0..lower.len() {
        // when a password ends is none
        if SECRETS.iter().any(|word| starts(at, word)) && !starts(at, "passwdvalidto") {
            if let Some(value) = assigned(&lower, at) {
                hide(&mut out, value);
            }
        } else if starts(at, "cookie") && at.checked_sub(1).and_then(|i| lower.get(i)) != Some(&'<')
        {
            // a cookie of TOML: which of its strings is the value is not told by the line
            for value in quoted(&lower, at) {
                hide(&mut out, value);
            }
        }
        // what is handed to QEMU as it is, and queries of URLs, may hold a token
        if starts(at, "qemu:arg") || starts(at, "qemu:env") {
            for value in quoted(&lower, at) {
                hide(&mut out, value);
            }
        } else if starts(at, "query")
            && let Some(value) = assigned(&lower, at)
        {
            hide(&mut out, value);
        }
        let tag = SECRETS.iter().copied().chain(["cookie"]);
        if lower.get(at) == Some(&'<') && tag.into_iter().any(|word| starts(at + 1, word)) {
            let Some(open) = find(&lower, at, |c| c == '>') else { continue };
            let end = find(&lower, open, |c| c == '<').unwrap_or(lower.len());
            hide(&mut out, open + 1..end);
        }
    }
    out
}

fn hide(out: &mut [char], value: std::ops::Range<usize>) {
    out.iter_mut().take(value.end).skip(value.start).for_each(|c| *c = '*');
}

fn find(line: &[char], from: usize, what: impl Fn(char) -> bool) -> Option<usize> {
    (from..line.len()).find(|i| line.get(*i).is_some_and(|c| what(*c)))
}

/// What is assigned to the word at `at`: the inside of the quotes behind its equals sign, or without
/// quotes all up to where a value may end.
fn assigned(line: &[char], at: usize) -> Option<std::ops::Range<usize>> {
    let end = find(line, at, |c| !c.is_ascii_alphanumeric() && c != '_' && c != '-')?;
    let equals = find(line, end, |c| !"'\" ".contains(c)).filter(|i| line.get(*i) == Some(&'='))?;
    let start = find(line, equals + 1, |c| c != ' ')?;
    match line.get(start) {
        Some(quote @ ('\'' | '"')) => {
            let close = find(line, start + 1, |c| c == *quote).unwrap_or(line.len());
            Some(start + 1..close)
        }
        _ => Some(start..find(line, start, |c| " >,}#\t".contains(c)).unwrap_or(line.len())),
    }
}

/// The insides of the quotes behind an equals sign, from `at` on.
fn quoted(line: &[char], at: usize) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut from = at;
    while let Some(equals) = find(line, from, |c| c == '=') {
        from = equals + 1;
        let Some(start) = find(line, from, |c| c != ' ') else { break };
        if let Some(quote @ ('\'' | '"')) = line.get(start) {
            let close = find(line, start + 1, |c| c == *quote).unwrap_or(line.len());
            found.push(start + 1..close);
            from = close.saturating_add(1);
        }
    }
    found
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

/// Text on its way out of the program, whoever wrote it: what is `ours` passes, breaks pass, and every
/// other hazard is escaped. The last of all printers; whatever comes before has escaped its own.
pub fn printable<'a>(text: &'a str, ours: &[&[&str]]) -> Cow<'a, str> {
    filtered(text, ours, |c| c == '\n' || c == '\t')
}

/// Like [`printable`], for what is to be one line: breaks are escaped, too.
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

    #[test]
    fn no_password_is_quoted() {
        for (line, shown) in [
            (
                "<graphics port='x' passwd='hush' a='b'/>",
                "<graphics port='x' passwd='****' a='b'/>",
            ),
            ("passwd = \"hush\" # é", "passwd = \"****\" # é"),
            ("\"passwd\" = 'hush", "\"passwd\" = '****"),
            ("passwd=hush port='1'>", "passwd=**** port='1'>"),
            ("passwd = hush # é", "passwd = **** # é"),
            ("a = { paswd = 'hush', b = 'c' }", "a = { paswd = '****', b = 'c' }"),
            (
                "cookie = { name = \"t\", value = \"hush\" }",
                "cookie = { name = \"*\", value = \"****\" }",
            ),
            ("<cookies name='a'>hush</cookies>", "<cookies name='a'>****</cookies>"),
            ("<password> hush </password>", "<password>******</password>"),
            ("<passwd>hush</passwd>", "<passwd>****</passwd>"),
            ("<cookie name='a'>hush</cookie>", "<cookie name='a'>****</cookie>"),
            ("<name>passwords</name>", "<name>passwords</name>"),
            ("<a passwdValidTo='2027'/>", "<a passwdValidTo='2027'/>"),
            ("SYSTEM 'file:///etc/passwd'>", "SYSTEM 'file:///etc/passwd'>"),
        ] {
            let chars: Vec<char> = line.chars().collect();
            assert_eq!(blot(&chars).into_iter().collect::<String>(), shown);
        }
    }
}
