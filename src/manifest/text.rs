//! Decoding of a file's bytes as text, with hints for those that are not UTF-8.

use diagnostics::{Diagnostic, Diagnostics, SourceId, Span, excerpt};
use std::path::Path;

/// Takes the bytes of a file as text, which `add` is given, unless they are more than `limit`. `None` if that is not to be read
/// any further, as `out` says.
pub(super) fn text(
    path: &Path,
    bytes: Vec<u8>,
    limit: usize,
    add: impl FnOnce(String, String) -> SourceId,
    out: &mut Diagnostics,
) -> Option<SourceId> {
    let name = path.display().to_string();
    if bytes.len() > limit {
        out.push(
            Diagnostic::error("limit", "the manifest is too large")
                .address(name)
                .detail(format!("a file may have {} MiB", limit >> 20))
                .hint("write its objects in several files"),
        );
        return None;
    }
    if let Some((encoding, text)) = wide_text(&bytes) {
        let id = add(name, text);
        out.push(not_utf8(id, 0, &format!("the manifest is {encoding}"), encoding));
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(add(name, text)),
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            let byte = e.as_bytes().get(at).copied().unwrap_or(0);
            let text = String::from_utf8_lossy(e.as_bytes());
            let declared = declared_encoding(&text).map(excerpt);
            let id = add(name, text.clone().into_owned());
            let encoding = declared.as_deref().unwrap_or("ISO-8859-1");
            let mut problem = not_utf8(id, at, "the manifest is not UTF-8", encoding);
            problem.detail = Some(match &declared {
                Some(declared) => {
                    format!("byte {byte:02X} is none of UTF-8's, and it declares {declared}")
                }
                None => format!("byte {byte:02X} stands where UTF-8 has none such"),
            });
            out.push(problem);
            None
        }
    }
}

fn not_utf8(id: SourceId, at: usize, summary: &str, encoding: &str) -> Diagnostic {
    Diagnostic::error("encoding", summary)
        .at(Span::new(id, at, at + 1))
        .hint(format!("save the file as UTF-8; iconv -f {encoding} -t UTF-8 converts it"))
}

/// The encoding of a text in units of two or four bytes, and the text itself to show. Without a
/// byte order mark it is known by the zero byte beside its first character, which is ASCII in XML
/// and in TOML.
fn wide_text(bytes: &[u8]) -> Option<(&'static str, String)> {
    let (encoding, big) = match bytes {
        [0xff, 0xfe, 0, 0, ..] => return Some(("UTF-32", String::new())),
        [0, 0, 0xfe, 0xff, ..] => return Some(("UTF-32", String::new())),
        [0xff, 0xfe, ..] => ("UTF-16", false),
        [0xfe, 0xff, ..] => ("UTF-16", true),
        [1..=127, 0, ..] => ("UTF-16LE", false),
        [0, 1..=127, ..] => ("UTF-16BE", true),
        _ => return None,
    };
    let unit = |pair: &[u8; 2]| {
        if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
    };
    let units = bytes.as_chunks::<2>().0.iter().map(unit).skip_while(|unit| *unit == 0xfeff);
    let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    Some((encoding, text.collect()))
}

/// Returns the encoding that an XML declaration names.
fn declared_encoding(text: &str) -> Option<&str> {
    let declaration = text.strip_prefix("<?xml")?.split_once("?>")?.0;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let encoding = value.get(1..)?.split(quote).next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!encoding.is_empty() && encoding.chars().all(plain)).then_some(encoding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::{Sources, render};
    use std::fs;

    #[test]
    fn other_encodings_are_named_with_the_way_out() {
        let dir = std::env::temp_dir().join(format!("virt-encodings-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        let path = dir.join("a.xml");
        let declared = "<?xml version='1.0' encoding='ISO-8859-15'?>\n<a>é</a>";
        let latin: Vec<u8> = declared.chars().map(|c| u8::try_from(c).unwrap_or(0)).collect();
        let wide = |mark: &[u8]| {
            let units = "<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes);
            mark.iter().copied().chain(units).collect::<Vec<u8>>()
        };
        for (bytes, said) in [
            (
                wide(&[0xff, 0xfe]),
                [":1:1: error: the manifest is UTF-16", "1 | <a>é", "-f UTF-16 "],
            ),
            (wide(&[]), [":1:1: error: the manifest is UTF-16LE", "1 | <a>é", "-f UTF-16LE "]),
            (latin, [":2:4: error: the manifest is not UTF-8", "byte E9", "-f ISO-8859-15 "]),
            (b"\n<a>\xe9</a>".to_vec(), [":2:4: error: ", "byte E9", "-f ISO-8859-1 "]),
        ] {
            fs::write(&path, bytes).expect("a file");
            let (mut sources, mut out) = (Sources::default(), Diagnostics::default());
            let bytes = fs::read(&path).expect("bytes");
            let add = |name, text| sources.add(name, text);
            assert_eq!(text(&path, bytes, 99, add, &mut out), None);
            let text: String = out.iter().map(|d| render(d, &sources)).collect();
            assert!(said.iter().all(|part| text.contains(part)), "{said:?} in {text}");
        }
        fs::remove_dir_all(&dir).expect("removed");
    }
}
