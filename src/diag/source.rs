//! Source texts and byte spans in them; lines and columns are computed only when rendered.

/// The number of a source text in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u32);

impl SourceId {
    /// A text that came from no file: what a hypervisor returned, or what we built.
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
}

impl Source {
    /// The position of byte `offset`; past the end it is the end.
    pub fn position(&self, offset: u32) -> Position {
        let before = self.before(offset);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Position {
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before.get(line_start..).map_or(0, |s| s.chars().count()) + 1,
        }
    }

    /// The line that byte `offset` is on, without its line break.
    pub fn line_at(&self, offset: u32) -> &str {
        let before = self.before(offset);
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let rest = self.text.get(start..).unwrap_or("");
        rest.lines().next().unwrap_or("")
    }

    fn before(&self, offset: u32) -> &str {
        let mut end = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.get(..end).unwrap_or("")
    }
}

/// All source texts of a run. It only grows, so a [`SourceId`] stays valid.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    list: Vec<Source>,
}

impl Sources {
    /// Takes a text in and returns its number.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let id = SourceId(u32::try_from(self.list.len()).unwrap_or(u32::MAX - 1));
        self.list.push(Source { name: name.into(), text: text.into() });
        id
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
    use super::*;

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
