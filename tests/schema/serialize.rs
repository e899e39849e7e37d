//! Writer of trees as they stand, white space and all, with meaningless parts in between.

use super::random::Random;
use xmltree::{Element, Node};

/// The document, with comments, CDATA sections and references here and there.
pub(super) fn noisy(root: &Element, random: &mut Random) -> String {
    let mut writer = Writer { out: String::new(), random: Some(random) };
    writer.element(root);
    writer.out
}

/// The document.
pub(super) fn plain(root: &Element) -> String {
    let mut writer = Writer { out: String::new(), random: None };
    writer.element(root);
    writer.out
}

struct Writer<'a> {
    out: String,
    random: Option<&'a mut Random>,
}

impl Writer<'_> {
    fn once_in(&mut self, n: usize) -> bool {
        self.random.as_mut().is_some_and(|random| random.once_in(n))
    }

    fn element(&mut self, e: &Element) {
        let name = e.name.written();
        self.out.push_str(&format!("<{name}"));
        for declared in &e.namespaces {
            match &declared.prefix {
                Some(prefix) => self.out.push_str(&format!(" xmlns:{prefix}=\"")),
                None => self.out.push_str(" xmlns=\""),
            }
            self.chars(&declared.uri, true);
            self.out.push('"');
        }
        for a in &e.attributes {
            self.out.push_str(&format!(" {}=\"", a.name.written()));
            self.chars(&a.value, true);
            self.out.push('"');
        }
        if e.children.is_empty() && !self.once_in(4) {
            self.out.push_str("/>");
            return;
        }
        self.out.push('>');
        for child in &e.children {
            match child {
                Node::Element(child) => self.element(child),
                Node::Text(text) => self.text(&text.value),
            }
        }
        self.out.push_str(&format!("</{name}>"));
    }

    fn text(&mut self, text: &str) {
        let mut start = 0;
        // a text in two pieces is one text
        if self.once_in(20) {
            let middle = text.char_indices().map(|(at, _)| at).nth(text.chars().count() / 2);
            start = middle.unwrap_or(0);
            self.piece(&text[..start]);
            let between = if self.once_in(2) { "<!-- or not -->" } else { "<?such as?>" };
            self.out.push_str(between);
        }
        self.piece(&text[start..]);
    }

    fn piece(&mut self, text: &str) {
        if !text.is_empty() && !text.contains("]]>") && !text.contains('\r') && self.once_in(30) {
            self.out.push_str(&format!("<![CDATA[{text}]]>"));
        } else {
            self.chars(text, false);
        }
    }

    fn chars(&mut self, text: &str, quoted: bool) {
        for c in text.chars() {
            match c {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                '"' if quoted => self.out.push_str("&quot;"),
                '\n' | '\t' if quoted => self.reference(c),
                '\r' => self.reference(c),
                c if c.is_alphanumeric() && self.once_in(500) => self.reference(c),
                c => self.out.push(c),
            }
        }
    }

    fn reference(&mut self, c: char) {
        self.out.push_str(&format!("&#{};", u32::from(c)));
    }
}
