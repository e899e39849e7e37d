//! Source texts and byte spans in them; lines and columns are computed only when rendered.

use super::redact::lead;
use std::sync::OnceLock;

/// The number of a source text in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u32);

impl SourceId {
    /// Source of a text that came from no file: from a hypervisor, or built here.
    pub const NONE: Self = Self(u32::MAX);
}

/// A range of bytes in one source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The text the bytes are in.
    pub source: SourceId,
    /// First byte, counted from 0.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span of something that no file holds.
    pub const NONE: Self = Self { source: SourceId::NONE, start: 0, end: 0 };

    /// A span from byte offsets; offsets past 4 GiB (which the limits exclude) saturate.
    pub fn new(source: SourceId, start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { source, start: clamp(start), end: clamp(end.max(start)) }
    }

    /// Whether the span points into a file.
    pub fn is_known(self) -> bool {
        self.source != SourceId::NONE
    }
}

/// A place as people count: both numbers start at 1, the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line number.
    pub line: usize,
    /// Column number, in Unicode scalar values.
    pub column: usize,
}

/// One text and the name to show for it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as the user wrote it, or a name in angle brackets.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Places from which positions are counted: a text with many problems is not read anew for each.
    marks: OnceLock<Vec<Mark>>,
}

/// A place in a text whose position is known.
#[derive(Clone, Copy, Debug)]
struct Mark {
    byte: usize,
    line_start: usize,
    at: Position,
}

/// Longest line that is shown, even in part, in bytes: a document may be one line of 10 MiB, with a
/// problem at every turn.
const LINE_MAX: usize = 1 << 14;

/// Bytes between two marks.
const STRIDE: usize = 1 << 12;

impl Source {
    fn new(name: String, text: String) -> Self {
        Self { name, text, marks: OnceLock::new() }
    }

    /// The position of byte `offset`; past the end it is the end.
    pub fn position(&self, offset: u32) -> Position {
        self.mark_at(offset).at
    }

    /// The line that byte `offset` is on, without its line break; `None` for a line that is too long
    /// to be shown.
    pub fn line_at(&self, offset: u32) -> Option<&str> {
        let start = self.mark_at(offset).line_start;
        let rest = self.text.get(start..)?;
        let length = rest.bytes().take(LINE_MAX).position(|b| b == b'\n');
        let length = length.or((rest.len() < LINE_MAX).then_some(rest.len()))?;
        rest.get(..length).map(|line| line.trim_end_matches('\r'))
    }

    /// Returns the text before the line with byte `offset`, in the same tag or text of XML, or in the same
    /// assignment of TOML, as far back as a line may be long.
    pub fn lead(&self, offset: u32) -> &str {
        let end = self.mark_at(offset).line_start;
        lead(&self.text, end, LINE_MAX)
    }

    fn mark_at(&self, offset: u32) -> Mark {
        let end = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        let end = self.boundary(end);
        let marks = self.marks.get_or_init(|| self.marks());
        let last = marks.partition_point(|m| m.byte <= end).checked_sub(1);
        let from = last.and_then(|i| marks.get(i)).copied().unwrap_or(Mark::START);
        self.count(from, end)
    }

    fn marks(&self) -> Vec<Mark> {
        let mut marks = vec![Mark::START];
        let mut mark = Mark::START;
        while mark.byte + STRIDE < self.text.len() {
            mark = self.count(mark, self.boundary(mark.byte + STRIDE));
            marks.push(mark);
        }
        marks
    }

    fn count(&self, from: Mark, to: usize) -> Mark {
        let mut mark = Mark { byte: to, ..from };
        let between = self.text.get(from.byte..to).unwrap_or("").as_bytes();
        // bytes are counted, which takes a tenth of the time of characters
        let breaks = between.iter().filter(|byte| **byte == b'\n').count();
        let last = match breaks {
            0 => between,
            _ => between.rsplit(|byte| *byte == b'\n').next().unwrap_or_default(),
        };
        if breaks > 0 {
            mark.line_start = to - last.len();
            mark.at = Position { line: mark.at.line + breaks, column: 1 };
        }
        // count bytes that do not continue a character
        mark.at.column += last.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        mark
    }

    fn boundary(&self, mut byte: usize) -> usize {
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
}

impl Mark {
    const START: Self = Self { byte: 0, line_start: 0, at: Position { line: 1, column: 1 } };
}

/// All source texts of a run. Nothing is taken out, so a [`SourceId`] stays valid.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    list: Vec<Source>,
}

impl Sources {
    /// Takes a text in and returns its number.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let id = SourceId(u32::try_from(self.list.len()).unwrap_or(u32::MAX - 1));
        self.list.push(Source::new(name.into(), text.into()));
        id
    }

    /// Puts another text in the place of one that nobody refers to any more.
    pub fn replace(&mut self, id: SourceId, name: impl Into<String>, text: impl Into<String>) {
        let place = usize::try_from(id.0).ok().and_then(|at| self.list.get_mut(at));
        if let Some(place) = place {
            *place = Source::new(name.into(), text.into());
        }
    }

    /// The source with this number; `None` for [`SourceId::NONE`].
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.list.get(usize::try_from(id.0).ok()?)
    }

    /// The name and the position where `span` starts.
    pub fn locate(&self, span: Span) -> Option<(&str, Position)> {
        let source = self.get(span.source)?;
        Some((&source.name, source.position(span.start)))
    }

    /// `file:line:column` of the start of `span`, or `None` if no file holds it.
    pub fn place(&self, span: Span) -> Option<String> {
        let (name, at) = self.locate(span)?;
        Some(format!("{}:{}:{}", super::escape(name), at.line, at.column))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::string_slice, clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;

    #[test]
    fn far_positions_are_counted_like_near_ones() {
        let text: String =
            (0..4_000).map(|i| format!("<é n='{i}'/>\n{}", "x".repeat(i % 9))).collect();
        let source = Source::new("a.xml".to_owned(), text.clone());
        for (offset, _) in text.char_indices().step_by(997) {
            let before = &text[..offset];
            let start = before.rfind('\n').map_or(0, |i| i + 1);
            let at = source.position(u32::try_from(offset).expect("small"));
            assert_eq!(at.line, before.matches('\n').count() + 1);
            assert_eq!(at.column, before[start..].chars().count() + 1);
        }
    }

    #[test]
    fn positions_count_characters_and_survive_odd_offsets() {
        let mut sources = Sources::default();
        let id = sources.add("a.xml", "<a>\n  é<b/>\n</a>");
        let at = |offset| sources.get(id).map(|s| s.position(offset));
        assert_eq!(at(0), Some(Position { line: 1, column: 1 }));
        assert_eq!(at(8), Some(Position { line: 2, column: 4 }));
        // in the middle of é, and far behind the end
        assert_eq!(at(7), Some(Position { line: 2, column: 3 }));
        assert_eq!(at(9999), Some(Position { line: 3, column: 5 }));
        assert_eq!(sources.place(Span::NONE), None);
    }
}
