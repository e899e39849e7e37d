//! The one printer for foreign strings: no control character reaches a terminal.

/// Longest piece of a foreign string that a message quotes, in characters.
const EXCERPT: usize = 200;

/// Replaces C0, C1, DEL and the characters that turn the writing direction by visible escapes.
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

/// Like [`escape`], and cut after 200 characters.
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", escape(text.get(..end).unwrap_or(""))),
        None => escape(text),
    }
}

/// A line of a manifest as it may be shown: what stands in quotes behind a word for a password, and
/// the text of such an element or of a cookie, become asterisks of the same length.
pub(super) fn blot(line: &[char]) -> Vec<char> {
    let mut out = line.to_vec();
    let lower: String = line.iter().map(char::to_ascii_lowercase).collect();
    let at = |byte: usize| lower.get(..byte).map_or(0, |s| s.chars().count());
    for (word, _) in lower.match_indices("passw") {
        // a word that nothing is assigned to is only a word
        let key =
            lower.get(word..).unwrap_or("").trim_start_matches(|c: char| c.is_ascii_lowercase());
        // when a password ends is none
        let until = lower.get(word..).is_some_and(|rest| rest.starts_with("passwdvalidto"));
        if until || !key.trim_start_matches(['\'', '"', ' ']).starts_with('=') {
            continue;
        }
        let from = at(word);
        let quote = (from..out.len()).find(|n| out.get(*n).is_some_and(|c| "'\"".contains(*c)));
        // a key of TOML may be quoted itself: the value's quote is behind the equals sign
        let equals = (from..out.len()).find(|n| out.get(*n) == Some(&'=')).unwrap_or(from);
        let start = quote.map(|q| if q < equals { equals } else { q });
        let open = start.and_then(|s| {
            (s..out.len()).find(|n| line.get(*n).is_some_and(|c| "'\"".contains(*c)))
        });
        let Some(open) = open else { continue };
        let end =
            (open + 1..out.len()).find(|n| line.get(*n) == line.get(open)).unwrap_or(out.len());
        out.iter_mut().take(end).skip(open + 1).for_each(|c| *c = '*');
    }
    let tags = ["<cookie ", "<cookie>", "<passw"].into_iter();
    for (tag, _) in tags.flat_map(|tag| lower.match_indices(tag)) {
        let from = at(tag);
        let Some(open) = (from..out.len()).find(|n| line.get(*n) == Some(&'>')) else { continue };
        let end = (open..out.len()).find(|n| line.get(*n) == Some(&'<')).unwrap_or(out.len());
        out.iter_mut().take(end).skip(open + 1).for_each(|c| *c = '*');
    }
    out
}

fn is_hazard(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_point_leaves_a_control_character() {
        for c in (0..=0x2100).filter_map(char::from_u32) {
            let out = escape(&c.to_string());
            assert!(out.chars().all(|c| !is_hazard(c)), "{c:?} gave {out:?}");
        }
        assert_eq!(escape("web\u{1b}[2Jé"), "web\\u{1b}[2Jé");
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
