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
}
