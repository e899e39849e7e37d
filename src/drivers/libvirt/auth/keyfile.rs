//! Key files as GLib reads them: comments, `[groups]`, `key=value`.
//!
//! Nothing here quotes a value or a line that cannot be read: it may be a password.

/// Problem in a text, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) what: String,
}

/// The groups of a file.
#[derive(Default)]
pub(super) struct KeyFile<'a> {
    groups: Vec<Group<'a>>,
}

/// One group; those of one name are one.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) line: usize,
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    key: &'a str,
    /// Value, unparsed.
    value: &'a str,
    line: usize,
}

impl<'a> KeyFile<'a> {
    /// Reads a file.
    pub(super) fn read(text: &'a str) -> Result<Self, Problem> {
        let mut file = Self::default();
        let mut current = None;
        for (number, line) in (1..).zip(text.lines()) {
            let problem = |what: &str| Problem { line: number, what: what.to_owned() };
            // space at the end of a line belongs to its value
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let name = rest.trim_end().strip_suffix(']').filter(|name| {
                    !name.is_empty() && !name.contains(|c| matches!(c, '[' | ']') || c.is_control())
                });
                let name = name.ok_or_else(|| problem("a group's name is no [name]"))?;
                current = Some(file.open(name, number));
                continue;
            }
            let (key, value) = line
                .split_once('=')
                .map(|(key, value)| (key.trim_end(), value.trim_start()))
                .filter(|(key, _)| !key.is_empty())
                .ok_or_else(|| problem("neither a comment nor a [group] nor key=value"))?;
            let group = current.and_then(|index| file.groups.get_mut(index));
            let group = group.ok_or_else(|| problem("a key before the first [group]"))?;
            group.entries.push(Entry { key, value, line: number });
        }
        Ok(file)
    }

    /// Opens the group of that name, and returns the index to which its entries go.
    fn open(&mut self, name: &'a str, line: usize) -> usize {
        let known = self.groups.iter().position(|group| group.name == name);
        known.unwrap_or_else(|| {
            self.groups.push(Group { name, line, entries: Vec::new() });
            self.groups.len() - 1
        })
    }

    /// The group of that name.
    pub(super) fn group(&self, name: &str) -> Option<&Group<'a>> {
        self.groups.iter().find(|group| group.name == name)
    }
}

impl Group<'_> {
    /// The value of a key and its line; the last one counts.
    pub(super) fn value(&self, key: &str) -> Result<Option<(String, usize)>, Problem> {
        let Some(entry) = self.entries.iter().rfind(|entry| entry.key == key) else {
            return Ok(None);
        };
        let value = plain(entry.value).ok_or_else(|| Problem {
            line: entry.line,
            what: format!("the value of {key} has a '\\' that none of s, n, t, r and \\ follows"),
        })?;
        Ok(Some((value, entry.line)))
    }
}

/// A value without its escapes.
fn plain(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                's' => ' ',
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn groups_have_values() {
        let text = "# a comment\n\n[a]\nkey = one two \n key=second\r\n[b b] \nx=\\s1\\t\\\\=2\n\
                    bad=a\\x\n[a]\nlate=\n";
        let file = KeyFile::read(text).unwrap();
        let value = |group: &str, key| file.group(group).unwrap().value(key).unwrap();
        assert_eq!(value("a", "key"), Some(("second".into(), 5)));
        assert_eq!(value("a", "late"), Some((String::new(), 10)));
        assert_eq!(value("a", "none"), None);
        assert_eq!(value("b b", "x"), Some((" 1\t\\=2".into(), 7)));
        assert_eq!((file.group("a").unwrap().line, file.group("b b").unwrap().line), (3, 6));
        assert!(file.group("c").is_none());
        let problem = file.group("b b").unwrap().value("bad").unwrap_err();
        assert_eq!((problem.line, problem.what.contains("value of bad")), (8, true));
        let spaces = KeyFile::read("[a]\nkey=  one two \n").unwrap();
        assert_eq!(spaces.group("a").unwrap().value("key").unwrap().unwrap().0, "one two ");
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        for (text, line, what) in [
            ("password=tiger", 1, "before the first"),
            ("[a]\n\ntiger", 3, "neither"),
            ("[a]\n=tiger", 2, "neither"),
            ("[a]\n[]", 2, "no [name]"),
            ("[a", 1, "no [name]"),
            ("[a]b]", 1, "no [name]"),
        ] {
            let problem = KeyFile::read(text).err().unwrap();
            assert_eq!(problem.line, line, "{text}");
            assert!(problem.what.contains(what) && !problem.what.contains("tiger"), "{problem:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_file_or_a_problem(text in "([\\[\\]a=# \\\\\n]|\\PC){0,40}") {
            if let Ok(file) = KeyFile::read(&text) {
                for group in &file.groups {
                    for entry in &group.entries {
                        let _ = group.value(entry.key);
                    }
                }
            }
        }
    }
}
