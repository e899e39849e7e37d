//! The `uri_aliases = ["name=URI", ...]` of libvirt's own configuration, `libvirt.conf`. The whole file
//! has to be one: a line that libvirt would refuse is no way to say more than it seems.

/// Names, each with its URI.
pub(super) type Named = Vec<(String, String)>;

/// A value of a setting.
enum Value {
    Other,
    List(Vec<(String, usize)>),
}

/// Unread text, and the whole of it.
struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
}

/// Reads the aliases; none if there is no such setting.
///
/// # Errors
/// What is wrong with the file, and where.
pub(super) fn read(text: &str) -> Result<Named, String> {
    let mut reader = Reader { whole: text, rest: text };
    let mut named = None;
    loop {
        reader.skip_lines();
        if reader.rest.is_empty() {
            return Ok(named.unwrap_or_default());
        }
        let at = reader.offset();
        let (key, value) = reader.setting()?;
        if key != "uri_aliases" {
            continue;
        }
        let Value::List(aliases) = value else {
            return Err(reader.problem(at, "uri_aliases is no list"));
        };
        let pair = |(alias, at): (String, usize)| match alias.split_once('=') {
            Some((name, uri)) => Ok((name.to_owned(), uri.to_owned())),
            None => Err(reader.problem(at, "an alias is not name=URI")),
        };
        let pairs: Named = aliases.into_iter().map(pair).collect::<Result<_, _>>()?;
        if named.replace(pairs).is_some() {
            return Err(reader.problem(at, "uri_aliases is set twice"));
        }
    }
}

impl<'a> Reader<'a> {
    fn offset(&self) -> usize {
        self.whole.len() - self.rest.len()
    }

    fn problem(&self, at: usize, what: &str) -> String {
        let before = self.whole.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        format!("{line}:{column}: {what}")
    }

    fn here(&self, what: &str) -> String {
        self.problem(self.offset(), what)
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// Skips blank lines and comments.
    fn skip_lines(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if !self.rest.starts_with('#') {
                return;
            }
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }

    /// Takes the longest beginning of such characters.
    fn take(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !of(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn setting(&mut self) -> Result<(&'a str, Value), String> {
        if !self.rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(self.here("this is no setting"));
        }
        let key = self.take(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        self.skip_blanks();
        self.rest = self.rest.strip_prefix('=').ok_or_else(|| self.here("a '=' is missing"))?;
        self.skip_blanks();
        let value = if let Some(rest) = self.rest.strip_prefix('[') {
            self.rest = rest;
            Value::List(self.list()?)
        } else {
            self.scalar()?;
            Value::Other
        };
        self.skip_blanks();
        if !(self.rest.is_empty() || self.rest.starts_with(['#', '\n', '\r'])) {
            return Err(self.here("there is something after the value"));
        }
        Ok((key, value))
    }

    /// The values of a list whose bracket is open, each with its place.
    fn list(&mut self) -> Result<Vec<(String, usize)>, String> {
        let mut values = Vec::new();
        loop {
            self.skip_lines();
            if let Some(rest) = self.rest.strip_prefix(']') {
                self.rest = rest;
                return Ok(values);
            }
            let at = self.offset();
            values.push((self.scalar()?, at));
            self.skip_lines();
            match self.rest.strip_prefix(',') {
                Some(rest) => self.rest = rest,
                None if self.rest.starts_with(']') => {}
                None => return Err(self.here("a ',' or a ']' is missing")),
            }
        }
    }

    /// Reads a quoted string, or a number.
    fn scalar(&mut self) -> Result<String, String> {
        if let Some(rest) = self.rest.strip_prefix("\"\"\"") {
            let (text, after) =
                rest.split_once("\"\"\"").ok_or_else(|| self.here("a string is not closed"))?;
            self.rest = after;
            return Ok(text.to_owned());
        }
        let Some(mark) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            let number = self.take(|c| c.is_ascii_digit() || c == '-');
            return match number.parse::<i64>() {
                Ok(_) => Ok(number.to_owned()),
                Err(_) => Err(self.here("a quoted string or a number is missing")),
            };
        };
        let line = self.rest.lines().next().unwrap_or_default();
        let text = line.get(1..).and_then(|inside| inside.split_once(mark));
        let (text, _) = text.ok_or_else(|| self.here("a string is not closed"))?;
        self.rest = self.rest.get(text.len() + 2..).unwrap_or_default();
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn aliases_are_read_wherever_they_stand() {
        let text = "# uri_aliases = [\"no=no\"]\nuri_default = \"qemu:///system\"\nx = -1\n\
                    uri_aliases = [\n  \"hail=qemu+ssh://root@hail/system\", # one\n  \
                    'sleet=qemu+ssh://sleet/system',\n] # all\r\ny = \"\"\"a\nb\"\"\"\n";
        let named = read(text).unwrap();
        let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["hail", "sleet"]);
        assert_eq!(named.first().unwrap().1, "qemu+ssh://root@hail/system");
        for none in ["", "uri_default = \"x\"\n", "uri_aliases = []", "#", "a = [1, 2]"] {
            assert_eq!(read(none).unwrap(), [], "{none}");
        }
    }

    #[test]
    fn what_libvirt_would_refuse_is_refused_with_its_place() {
        for (text, place) in [
            ("uri_aliases = 1", "1:1: uri_aliases is no list"),
            ("uri_aliases = [", "1:16: a quoted string"),
            ("uri_aliases=[\"x]", "1:14: a string is not closed"),
            ("uri_aliases=[\"x\"]", "1:14: an alias is not"),
            ("uri_aliases=[\"x=y\" \"z=w\"]", "1:20: a ','"),
            ("\nuri_aliases=['x=y'] z", "2:21: there is something after"),
            ("uri_aliases=['x=y']\0-c\0sleep", "1:20: there is something after"),
            ("uri_aliases=['x=y']\nuri_aliases=[]", "2:1: uri_aliases is set twice"),
            ("uri_aliases=['x=y']\nsleep", "2:6: a '=' is missing"),
            ("sh\0-c\0\nuri_aliases=['x=y']", "1:3: a '=' is missing"),
            ("é = 1", "1:1: this is no setting"),
            ("x = é", "1:5: a quoted string"),
            ("x = 'é", "1:5: a string is not closed"),
            ("x = 1-1", "1:8: a quoted string"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.starts_with(place), "{text}: {why}");
        }
    }
}
