//! References to other files: the form of a URI, and RFC 3986's rules of resolution.

/// A URI cut into its parts (RFC 3986, appendix B).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

/// Resolves `reference` against `base` (RFC 3986, section 5.2), both without a fragment.
///
/// A base may be relative itself, such as the path that a user typed; then `..` may lead out of it.
pub(super) fn resolve(base: &str, reference: &str) -> String {
    let (base, r) = (split(base), split(reference));
    let parts = |scheme, authority, path: String, query| join(scheme, authority, &path, query);
    if r.scheme.is_some() {
        return parts(r.scheme, r.authority, without_dots(r.path), r.query);
    }
    if r.authority.is_some() {
        return parts(base.scheme, r.authority, without_dots(r.path), r.query);
    }
    if r.path.is_empty() {
        let query = r.query.or(base.query);
        return parts(base.scheme, base.authority, base.path.to_owned(), query);
    }
    let path = if r.path.starts_with('/') {
        without_dots(r.path)
    } else if base.authority.is_some() && base.path.is_empty() {
        without_dots(&format!("/{}", r.path))
    } else {
        let directory = base.path.rfind('/').and_then(|at| base.path.get(..=at)).unwrap_or("");
        without_dots(&format!("{directory}{}", r.path))
    };
    parts(base.scheme, base.authority, path, r.query)
}

/// Returns the reason for which `text` cannot be the `href` of another file, if so.
pub(super) fn wrong_reference(text: &str) -> Option<&'static str> {
    if text.contains('#') {
        return Some("a part of a file, behind \"#\", cannot be referred to");
    }
    wrong_escape(text)
}

/// Returns the reason for which `text` cannot be a `datatypeLibrary` (section 4.3), if so. An empty one can.
pub(super) fn wrong_library(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return None;
    }
    if text.contains('#') {
        return Some("it has a fragment identifier, behind \"#\"");
    }
    let Some(scheme) = split(text).scheme else {
        return Some("it is a relative URI");
    };
    if text.len() == scheme.len() + 1 {
        return Some("there is nothing behind its scheme");
    }
    wrong_escape(text)
}

fn wrong_escape(text: &str) -> Option<&'static str> {
    let mut pieces = text.split('%').skip(1);
    let hex =
        |piece: &str| piece.len() >= 2 && piece.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    (!pieces.all(hex)).then_some("two hexadecimal digits must follow each \"%\"")
}

fn split(uri: &str) -> Parts<'_> {
    let uri = uri.split('#').next().unwrap_or("");
    let (scheme, rest) = match uri.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, uri),
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    match rest.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            Parts { scheme, authority: Some(authority), path, query }
        }
        None => Parts { scheme, authority: None, path: rest, query },
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn join(scheme: Option<&str>, authority: Option<&str>, path: &str, query: Option<&str>) -> String {
    let mut out = String::new();
    if let Some(scheme) = scheme {
        out.push_str(scheme);
        out.push(':');
    }
    if let Some(authority) = authority {
        out.push_str("//");
        out.push_str(authority);
    }
    out.push_str(path);
    if let Some(query) = query {
        out.push('?');
        out.push_str(query);
    }
    out
}

/// Resolves `.` and `..` in a path. At the root `..` has no effect; steps out of a relative path stay.
fn without_dots(path: &str) -> String {
    let (root, rest) = match path.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", path),
    };
    let mut kept: Vec<&str> = Vec::new();
    let mut directory = false;
    for segment in rest.split('/') {
        directory = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if root.is_empty() => kept.push(".."),
            ".." => {}
            _ => kept.push(segment),
        }
    }
    let end = if directory && !kept.is_empty() { "/" } else { "" };
    format!("{root}{}{end}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 3986, section 5.4, and bases that are relative.
    #[test]
    fn references_are_resolved() {
        let base = "http://a/b/c/d;p?q";
        for (reference, want) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("g..", "http://a/b/c/g.."),
            ("./g/.", "http://a/b/c/g/"),
            ("g/../h", "http://a/b/c/h"),
        ] {
            assert_eq!(resolve(base, reference), want, "{reference}");
        }
        assert_eq!(resolve("domain.rng", "cpu.rng"), "cpu.rng");
        assert_eq!(resolve("a/b.rng", "../../c.rng"), "../c.rng");
        assert_eq!(resolve("../a/b.rng", "../c.rng"), "../c.rng");
        assert_eq!(resolve("/usr/x.rng", "y.rng"), "/usr/y.rng");
        assert_eq!(resolve("http://a", "y"), "http://a/y");
    }

    #[test]
    fn what_cannot_be_a_uri() {
        assert_eq!(wrong_library(""), None);
        assert_eq!(wrong_library("foo:bar"), None);
        assert_eq!(wrong_library("http://www.example.com/%Aa"), None);
        for text in
            ["foo:", "xyzzy/foo:bar", "foo_bar:x", "http://x#", "http://x/%xx", "http://x/%"]
        {
            assert!(wrong_library(text).is_some(), "{text}");
        }
        assert!(wrong_reference("x#y").is_some());
        assert_eq!(wrong_reference("x.rng"), None);
    }
}
