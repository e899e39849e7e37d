//! Redaction of secrets within values and lines of files, recognised by notation: passwords, tokens, URLs,
//! and the elements of libvirt's XML that hold them. All code that quotes a value or a line uses it.

use std::borrow::Cow;
use std::ops::Range;

/// Replacement of a secret.
pub const REDACTED: &str = "(sensitive)";

/// Redacts a value for display: the user's name, the password and the query of URLs, and values assigned to a
/// word for a secret, in JSON or as an option.
pub fn conceal(value: &str) -> Cow<'_, str> {
    if !value.contains([':', '=']) {
        return Cow::Borrowed(value);
    }
    let chars: Vec<char> = value.chars().collect();
    let ranges = secrets(&chars, false);
    if ranges.is_empty() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(replaced(&chars, &ranges))
}

/// Redacts the name of a disk's image on a server, which is the path of a URL: like [`conceal`], as if a host
/// stood before it.
pub fn conceal_name(value: &str) -> String {
    let chars: Vec<char> = value.chars().collect();
    let mut ranges = secrets(&chars, false);
    url(&chars, 0..chars.len(), 0, "", &mut ranges);
    replaced(&chars, &sorted(ranges))
}

fn replaced(chars: &[char], ranges: &[Range<usize>]) -> String {
    let mut out = String::new();
    let mut from = 0;
    for range in ranges {
        out.extend(chars.get(from..range.start).unwrap_or_default());
        out.push_str(REDACTED);
        from = range.end;
    }
    out.extend(chars.get(from..).unwrap_or_default());
    out
}

/// Redacts a line of a manifest for display, given the text before it in the same tag or assignment: values
/// assigned to a word for a secret, the texts of such elements, and secrets within values become asterisks of
/// the same length. In doubt it hides more.
pub(super) fn blot(before: &str, line: &str) -> Vec<char> {
    let mut out: Vec<char> = before.chars().collect();
    let skipped = out.len();
    out.extend(line.chars());
    let mut ranges = secrets(&out, true);
    if is_secret_table(before) {
        let header = find(&out, 0, |c| c == '\n').map_or(0, |end| end + 1);
        ranges.extend(strings(&out, header));
    }
    for range in ranges {
        out.iter_mut()
            .take(range.end)
            .skip(range.start)
            .filter(|c| **c != '\n')
            .for_each(|c| *c = '*');
    }
    out.split_off(skipped)
}

/// Returns the text before the line that begins at byte `end`, in the same tag or text of XML, or in the same
/// assignment of TOML, at most `most` bytes.
pub(super) fn lead(text: &str, end: usize, most: usize) -> &str {
    let from = (0..=end.saturating_sub(most)).rev().find(|at| text.is_char_boundary(*at));
    let window = text.get(from.unwrap_or_default()..end).unwrap_or_default();
    let start = if text.trim_start().starts_with('<') {
        let is_tag = |at: &usize| {
            let next = window.as_bytes().get(at + 1);
            next.is_some_and(|c| c.is_ascii_alphabetic() || *c == b'/')
        };
        window.rmatch_indices('<').map(|(at, _)| at).find(is_tag)
    } else {
        let is_key = |line: &str| {
            let key = line.trim_start().split('=').next().unwrap_or_default();
            key.len() < line.len()
                && key.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '"')
        };
        // a table of TOML that is a secret has it in its keys
        let is_header = |(at, _): &(usize, &str)| *at == 0 || window.get(at - 1..*at) == Some("\n");
        let header = window.rmatch_indices('[').find(is_header);
        let header = header.map(|(at, _)| window.get(at..).unwrap_or_default());
        if let Some(table) = header.filter(|table| is_secret_table(table)) {
            return table;
        }
        let mut at = window.len();
        window.split_inclusive('\n').rev().find_map(|line| {
            at -= line.len();
            (is_key(line) || line.starts_with('[')).then_some(at)
        })
    };
    start.and_then(|start| window.get(start..)).unwrap_or_default()
}

/// Whether the header that a text of TOML begins with is of an element whose text or value is a secret.
fn is_secret_table(text: &str) -> bool {
    let header = text.lines().next().unwrap_or_default();
    let name = header.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let name = name.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let names = ["arg", "env", "property", "cookie", "session", "dhCert", "initenv", "entry"];
    text.starts_with('[') && names.contains(&name)
}

/// Parts of words for passwords, slips of the keyboard among them.
const PASSWORDS: [&str; 6] = ["passw", "paswd", "passd", "pasword", "pwd", "rootpw"];

/// Parts of words for other secrets, in options and JSON. Attributes of such names refer to secrets by UUID.
const TOKENS: [&str; 6] = ["cookie", "token", "secret", "credential", "apikey", "api_key"];

/// Options that are a secret by their whole name: of RBD, of signed URLs.
const KEYS: [&str; 3] = ["key", "sig", "signature"];

/// Returns the places of secrets in a value, or in a line of a manifest: in order, none touching another.
fn secrets(text: &[char], in_file: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    urls(text, &mut found);
    let mut at = 0;
    while at < text.len() {
        let end = find(text, at, |c| !is_word(c)).unwrap_or(text.len());
        if end == at {
            at += 1;
            continue;
        }
        let word: String = text.get(at..end).unwrap_or_default().iter().collect();
        let word = word.to_ascii_lowercase();
        if in_file {
            place_in_file(text, &word, at..end, &mut found);
        }
        let assigned = assignment(text, &word, end, in_file);
        // nothing is looked for in what is hidden
        at = assigned.as_ref().map_or(end, |range| range.end.max(end));
        found.extend(assigned);
    }
    sorted(found)
}

fn sorted(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn find(text: &[char], from: usize, what: impl Fn(char) -> bool) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.iter().position(|c| what(*c)).map(|n| from + n)
}

fn starts(text: &[char], at: usize, word: &str) -> bool {
    let mut rest = text.get(at..).unwrap_or_default().iter();
    word.chars().all(|c| rest.next() == Some(&c))
}

/// Returns the value assigned to a word for a secret that ends at `end`: `word=value`, `"word": "value"`.
fn assignment(text: &[char], word: &str, end: usize, in_file: bool) -> Option<Range<usize>> {
    // when a password ends is none
    let is_password =
        PASSWORDS.iter().any(|part| word.contains(part)) && !word.ends_with("validto");
    let is_token = TOKENS.iter().any(|part| word.contains(part)) || KEYS.contains(&word);
    if !is_password && !is_token {
        return None;
    }
    let sign = find(text, skip_quotes(text, end), |c| c != ' ')?;
    let is_json = sign > end && text.get(sign) == Some(&':');
    if text.get(sign) != Some(&'=') && !is_json {
        return None;
    }
    let start = find(text, sign + 1, |c| c != ' ')?;
    match quote(text, start) {
        // an attribute or a key of this name is none, if it is not for a password
        Some(_) if in_file && !is_password && !is_json => None,
        Some(quote) => Some(quoted(text, start, &quote)),
        // a table, or a list
        None if matches!(text.get(start), Some('{' | '[')) => None,
        // it was hidden before
        None if starts(text, start, REDACTED) => None,
        None => Some(start..bare_end(text, start, in_file, is_json)),
    }
}

/// Returns the end of a value without quotes.
fn bare_end(text: &[char], start: usize, in_file: bool, is_json: bool) -> usize {
    let mut at = start;
    while let Some(c) = text.get(at) {
        let ends = match c {
            ',' | '}' => is_json,
            '\'' | '"' | '>' => in_file || is_json,
            '<' => in_file && is_tag(text, at),
            '&' => in_file && quote(text, at).is_some(),
            c => c.is_whitespace(),
        };
        if ends {
            break;
        }
        // in a file a backslash goes with what it escapes
        at += if *c == '\\' && in_file { 2 } else { 1 };
    }
    at.min(text.len())
}

/// Whether a tag begins at this place: a mere `<` may be part of a value that is not well-formed.
fn is_tag(text: &[char], at: usize) -> bool {
    let next = at.checked_add(1).and_then(|next| text.get(next));
    text.get(at) == Some(&'<')
        && next.is_some_and(|c| matches!(c, '/' | '!') || c.is_ascii_alphabetic())
}

/// The quotes behind a key of JSON, as it stands in XML and TOML, too.
fn skip_quotes(text: &[char], mut at: usize) -> usize {
    while let Some(quote) = quote(text, at) {
        at += quote.chars().count();
    }
    at
}

/// Returns the quotation mark at this place, with its escape characters.
fn quote(text: &[char], at: usize) -> Option<String> {
    let mut end = at;
    while text.get(end) == Some(&'\\') {
        end += 1;
    }
    let marks = ["\"\"\"", "'''", "\"", "'", "&quot;", "&apos;", "&#34;", "&#39;"];
    let mark = marks.into_iter().find(|mark| starts(text, end, mark))?;
    let mark = match mark {
        // two of them are nothing in quotes
        "\"\"\"" | "'''" if end > at => mark.get(..1)?,
        whole => whole,
    };
    Some("\\".repeat(end - at) + mark)
}

/// The inside of the quotes that open at `start`.
fn quoted(text: &[char], start: usize, quote: &str) -> Range<usize> {
    let from = start + quote.chars().count();
    let escapes = quote.chars().take_while(|c| *c == '\\').count();
    let bare: String = quote.chars().skip(escapes).collect();
    let mut run = 0;
    for at in from..text.len() {
        if text.get(at) == Some(&'\\') {
            run += 1;
            continue;
        }
        // a quotation mark behind more escapes than the first one has is part of the value
        if starts(text, at, &bare) && run <= escapes {
            return from..at - run;
        }
        run = 0;
    }
    from..text.len()
}

/// Finds, in a file, the text of an element that is a secret, and the values of TOML keys or attributes of
/// such an element, by names alone.
fn place_in_file(text: &[char], word: &str, at: Range<usize>, found: &mut Vec<Range<usize>>) {
    let before = |n: usize| at.start.checked_sub(n).and_then(|i| text.get(i));
    let is_passed = matches!(word, "arg" | "env" | "property" | "override" | "commandline")
        && before(1) == Some(&':');
    let last = word.rsplit('.').next().unwrap_or_default();
    let texts = ["cookie", "cookies", "session", "dhcert", "initenv", "entry"];
    if before(1) == Some(&'<') {
        let is_password = PASSWORDS.iter().any(|part| word.contains(part));
        if !is_password && !texts.contains(&word) {
            return;
        }
        let Some(open) = find(text, at.end, |c| c == '>') else { return };
        let tag = text.get(at.end..open).unwrap_or_default();
        // entries of SMBIOS have names without a slash
        if word == "entry" && starts(tag, 0, " name=") && !tag.contains(&'/') {
            return;
        }
        let close = (open..text.len()).find(|i| starts(text, *i, "</"));
        found.push(open + 1..close.unwrap_or(text.len()));
    } else if is_passed || texts.contains(&last) && before(1) != Some(&'/') {
        // the line does not show which of its strings is the value
        found.extend(strings(text, at.end));
    } else if last == "name" {
        // name of a disk's image on a server
        for range in strings(text, at.end).into_iter().take(1) {
            let start = range.start;
            url(text, range, start, "", found);
        }
    } else if last == "query" || last.ends_with("cookie.value") {
        found.extend(strings(text, at.end).into_iter().take(1));
    }
}

/// The insides of the quotes of the assignment at `from`, or of the tag.
fn strings(text: &[char], from: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // a key may be in quotes, and is no value
    let Some(mut at) = find(text, from, |c| matches!(c, '=' | '>' | '\n')) else { return found };
    if text.get(at) != Some(&'=') {
        return found;
    }
    while let Some(start) = find(text, at, |c| matches!(c, '\'' | '"' | '>')) {
        if text.get(start) == Some(&'>') {
            break;
        }
        let Some(quote) = quote(text, start) else { break };
        let range = quoted(text, start, &quote);
        at = range.end + quote.chars().count();
        found.push(range);
    }
    found
}

/// Schemes of connections, whose users are no secret and whose queries are options: libvirt's drivers, and
/// ours. Those with a transport have it behind a plus sign.
const CONNECTIONS: [&str; 8] = ["qemu", "test", "mock", "xen", "lxc", "ch", "bhyve", "vz"];

/// Finds the secret parts of URLs.
fn urls(text: &[char], found: &mut Vec<Range<usize>>) {
    let ends = |c: char| c.is_whitespace() || "'\">".contains(c);
    let is_escaped = |i: usize| matches!(text.get(i + 1), Some('"' | '\''));
    let mut at = 0;
    while at < text.len() {
        // quotes in an attribute's value are written as a reference
        let is_end = |i: &usize| {
            text.get(*i).is_none_or(|c| {
                ends(*c)
                    || is_tag(text, *i)
                    || *c == '\\' && is_escaped(*i)
                    || *c == '&' && starts(text, *i, "&quot;")
            })
        };
        let end = (at..text.len()).find(is_end).unwrap_or(text.len());
        if let Some(colon) = (at..end).find(|i| starts(text, *i, "://")) {
            let is_scheme = |c: &&char| c.is_ascii_alphanumeric() || "+.-".contains(**c);
            let before = text.get(at..colon).unwrap_or_default();
            let scheme: String = before.iter().rev().take_while(is_scheme).collect();
            let scheme: String = scheme.chars().rev().collect();
            url(text, at..end, colon + 3, &scheme, found);
        }
        at = end.max(at) + 1;
    }
}

/// Finds the secret parts in the rest of a URL, whose user and host come from `start` on.
fn url(
    text: &[char],
    token: Range<usize>,
    start: usize,
    scheme: &str,
    found: &mut Vec<Range<usize>>,
) {
    let within = |at: Option<usize>| at.unwrap_or(token.end).min(token.end);
    let scheme = scheme.to_ascii_lowercase();
    let is_connection = CONNECTIONS.contains(&scheme.split('+').next().unwrap_or_default());
    let query = within(find(text, start, |c| c == '?'));
    let authority = within(find(text, start, |c| "/?#".contains(c)));
    let last_at = |end: usize| (start..end).rev().find(|i| text.get(*i) == Some(&'@'));
    let colon = (start..authority).find(|i| text.get(*i) == Some(&':'));
    let is_port = |colon: usize| {
        text.get(colon + 1..authority).is_some_and(|port| port.iter().all(char::is_ascii_digit))
    };
    // a password may have a slash, though it should not
    let end = match colon {
        Some(colon) if last_at(authority).is_none() && !is_port(colon) => query,
        _ => authority,
    };
    if let Some(at) = last_at(end) {
        let names_only =
            colon.is_none_or(|colon| colon > at) && (is_connection || scheme.ends_with("ssh"));
        // a name on a server has a user only if it has a password: others have an at sign
        let is_path = scheme.is_empty() && colon.is_none_or(|colon| colon > at);
        if !names_only && !is_path {
            found.push(start..at);
        }
    }
    // a URL that is not whole: what is no port was going to be a password
    let is_cut = last_at(end).is_none() && !scheme.is_empty() && text.get(start) != Some(&'[');
    if let Some(colon) = colon.filter(|colon| is_cut && !is_port(*colon)) {
        found.push(colon + 1..authority);
    }
    if !is_connection && query < token.end {
        found.push(query + 1..token.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_within_values_are_left_out() {
        for (value, shown) in [
            ("https://u:X@h:80/a?b=c", "https://(sensitive)@h:80/a?(sensitive)"),
            ("https://token@h/a#b", "https://(sensitive)@h/a#b"),
            ("https://u:X/Y@h/a", "https://(sensitive)@h/a"),
            ("https://h:80/a@2x", "https://h:80/a@2x"),
            ("nbd://h:10809/x", "nbd://h:10809/x"),
            ("ssh://root@h/x", "ssh://root@h/x"),
            ("qemu+ssh://root@h:22/system", "qemu+ssh://root@h:22/system"),
            ("qemu+ssh://root@h/system?keyfile=/k", "qemu+ssh://root@h/system?keyfile=/k"),
            ("qemu+ssh://root:X@h/system", "qemu+ssh://(sensitive)@h/system"),
            ("ds=nocloud;s=http://u:X@h/ quiet", "ds=nocloud;s=http://(sensitive)@h/ quiet"),
            (
                r#"json:{"password":"X\"Y","driver":"https","cookie" : "Z","port":1}"#,
                r#"json:{"password":"(sensitive)","driver":"https","cookie" : "(sensitive)","port":1}"#,
            ),
            (r#"json:{"token":12,"a":1}"#, r#"json:{"token":(sensitive),"a":1}"#),
            ("quiet password=X root=/dev/vda", "quiet password=(sensitive) root=/dev/vda"),
            ("pool/image:id=a:key=X==:b", "pool/image:id=a:key=(sensitive)"),
            ("/etc/passwd", "/etc/passwd"),
            ("socket,id=a,password=X,,Y", "socket,id=a,password=(sensitive)"),
            ("password=(sensitive)</a>", "password=(sensitive)</a>"),
            ("", ""),
            ("://", "://"),
            ("?://?", "?://?"),
        ] {
            assert_eq!(conceal(value), shown);
        }
        assert_eq!(conceal_name("user:X@h/x?sig=Y"), "(sensitive)@h/x?(sensitive)");
        assert_eq!(conceal_name("pool/image@snapshot"), "pool/image@snapshot");
        assert_eq!(
            conceal_name("iqn.2020-01.com.example:disk/1"),
            "iqn.2020-01.com.example:disk/1"
        );
    }

    #[test]
    fn a_long_value_takes_time_in_proportion() {
        for piece in ["a://", "password=", "?", "\"", "\\", "://:@", "key:\"", "&quot;"] {
            let started = std::time::Instant::now();
            drop(conceal(&piece.repeat(100_000)));
            drop(blot("", &piece.repeat(4_000)));
            assert!(started.elapsed().as_secs() < 5, "{piece}");
        }
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
            ("<secret type='ceph' uuid='a'/>", "<secret type='ceph' uuid='a'/>"),
            ("<encryption secret='a'/>", "<encryption secret='a'/>"),
            ("<entry name='product'>a</entry>", "<entry name='product'>a</entry>"),
            ("<entry name='opt/a/b'>hush</entry>", "<entry name='opt/a/b'>****</entry>"),
            ("<session><![CDATA[hush]]></session>", "<session>****************</session>"),
            ("<qemu:arg value='hush'/><a b='c'/>", "<qemu:arg value='****'/><a b='c'/>"),
            ("\"qemu:arg\" = [{ value = \"hush\" }]", "\"qemu:arg\" = [{ value = \"****\" }]"),
            ("kernel = \"https://u:hush@h/k?hush\"", "kernel = \"https://******@h/k?****\""),
            (
                "a = \"json:{\\\"password\\\":\\\"hush\\\"}\"",
                "a = \"json:{\\\"password\\\":\\\"****\\\"}\"",
            ),
            (
                "<a b='{&quot;password&quot;:&quot;hush&quot;}'/>",
                "<a b='{&quot;password&quot;:&quot;****&quot;}'/>",
            ),
        ] {
            assert_eq!(blot("", line).into_iter().collect::<String>(), shown);
        }
    }
}
