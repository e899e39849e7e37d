//! Characters with an effect on a terminal, an editor or a reader beyond their looks.

/// Whether a character must be escaped: C0, DEL and C1, which control a terminal; line breaks and changes of
/// the writing direction; invisible ones, with which two names look alike; and code points that are no
/// characters.
///
/// Emoji and words of some languages have a few of them. There the escape is ugly, and the name certain.
pub fn is_hazard(c: char) -> bool {
    // nearly all there is
    if matches!(c, ' '..='~') {
        return false;
    }
    let is_noncharacter = u32::from(c) & 0xfffe == 0xfffe;
    let after = UNSEEN.partition_point(|(first, _)| *first <= c);
    let run = after.checked_sub(1).and_then(|at| UNSEEN.get(at));
    c.is_control() || is_noncharacter || run.is_some_and(|(_, last)| c <= *last)
}

/// The first and last of each run, in their order: Unicode 16's `Default_Ignorable_Code_Point`
/// (DerivedCoreProperties.txt), which has all of `Bidi_Control`; the separators of lines and paragraphs
/// (Zl, Zp); what begins and ends an annotation between the lines (U+FFF9 to U+FFFB); and the
/// noncharacters of the Arabic block.
///
/// A table, as no small crate has just this property, and Unicode set aside the blocks that may still
/// fill up: they are in it already.
const UNSEEN: [(char, char); 18] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_turns_or_hides_is_one() {
        let all = "\0\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\
                   \u{180e}\u{180f}\u{200b}\u{200d}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2065}\
                   \u{2066}\u{206f}\u{3164}\u{fdd0}\u{fdef}\u{fe00}\u{fe0f}\u{feff}\u{ffa0}\u{fff0}\u{fff9}\
                   \u{fffb}\u{fffe}\u{ffff}\u{1bca0}\u{1d173}\u{1d17a}\u{1fffe}\u{e0000}\u{e0041}\u{e01ef}\
                   \u{e0fff}\u{10ffff}";
        for c in all.chars() {
            assert!(is_hazard(c), "{c:?}");
        }
        assert!(UNSEEN.iter().all(|(first, last)| first <= last));
        assert!(UNSEEN.is_sorted_by(|(_, last), (first, _)| last < first));
    }

    #[test]
    fn what_people_write_is_none() {
        let words = "Straße 日本語 Ελλάδα עברית عَرَبِيّ हिन्दी ไทย 한국어 ✓ → … — 🙂 a\u{a0}b \u{fffd}";
        assert_eq!(words.chars().find(|c| is_hazard(*c)), None);
    }
}
