//! The target `document`: any bytes as XML, by the events and as a tree.

use diagnostics::{SourceId, Sources, render};
use std::collections::HashSet;
use xmltree::{Element, Event, Events, Limits, Node, parse, write, write_compact};

/// Reads the bytes in every possible way, and writes the result. Returns whether they were a document.
pub(crate) fn document(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let mut sources = Sources::default();
    let id = sources.add("t.xml", text);
    let opened = events(id, text, false);
    let skipped = events(id, text, true);
    match parse(id, text, &Limits::default()) {
        Ok(tree) => {
            let mut flat = Vec::new();
            flatten(&tree, &mut flat);
            assert_eq!(opened.as_ref(), Ok(&flat), "the events and the tree differ");
            let skipped = skipped.expect("tags that were met before are well-formed");
            assert_eq!(skipped, outlines(&flat), "skipped tags change the events");
            written(&tree);
            true
        }
        Err(problem) => {
            let said = render(&problem, &sources);
            assert!(problem.span.is_some_and(|s| s.start <= s.end), "no place: {said}");
            let by_events = opened.expect_err("the tree is refused, the events are not");
            assert_eq!(by_events, problem.summary, "another reason");
            assert!(skipped.is_err(), "skipped tags make it well-formed: {said}");
            false
        }
    }
}

/// A document as a list of lines: starts with their names, namespaces and attributes, texts, ends.
type Lines = Vec<(char, String)>;

fn push_text(out: &mut Lines, text: &str) {
    match out.last_mut() {
        Some(('t', before)) => before.push_str(text),
        _ => out.push(('t', text.to_owned())),
    }
}

/// The events of a text; with `skip`, tags that were met before are not looked into, and of the
/// others only the names are kept.
fn events(id: SourceId, text: &str, skip: bool) -> Result<Lines, String> {
    let limits = Limits::default();
    let mut events = Events::new(id, text, &limits);
    let (mut attributes, mut namespaces) = (Vec::new(), Vec::new());
    let mut known = HashSet::new();
    let mut out = Lines::new();
    loop {
        match events.next().map_err(|p| p.summary.clone())? {
            Event::Start(tag) => {
                let plain = events.plain_scope() && !tag.raw.contains(':');
                let plain = plain && !tag.raw.contains("xmlns");
                if skip && plain && known.contains(tag.raw) {
                    events.skip_tag();
                    out.push(('s', tag.name.to_owned()));
                    continue;
                }
                let name = events
                    .open(&tag, &mut attributes, &mut namespaces)
                    .map_err(|p| p.summary.clone())?;
                if plain {
                    known.insert(tag.raw);
                }
                if skip {
                    out.push(('s', tag.name.to_owned()));
                    continue;
                }
                let mut line = format!("{} {:?}", tag.name, name.namespace);
                for n in &namespaces {
                    line += &format!(" {:?}={}", n.declaration.prefix, n.declaration.uri);
                }
                for a in &attributes {
                    line += &format!(" {:?}:{}={:?}", a.name.namespace, a.name.local, a.value);
                }
                out.push(('s', line));
            }
            Event::Text { text, span } => {
                assert!(span.start <= span.end, "a text ends before it starts");
                push_text(&mut out, &text);
            }
            Event::End => out.push(('e', String::new())),
            Event::Eof => return Ok(out),
        }
    }
}

fn flatten(e: &Element, out: &mut Lines) {
    let mut line = format!("{} {:?}", e.name.written(), e.name.namespace);
    for n in &e.namespaces {
        line += &format!(" {:?}={}", n.prefix, n.uri);
    }
    for a in &e.attributes {
        line += &format!(" {:?}:{}={:?}", a.name.namespace, a.name.local, a.value);
    }
    out.push(('s', line));
    for child in &e.children {
        match child {
            Node::Element(e) => flatten(e, out),
            Node::Text(t) => push_text(out, &t.value),
        }
    }
    out.push(('e', String::new()));
}

/// The lines with no more than the names of starts.
fn outlines(lines: &Lines) -> Lines {
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let outline = |(kind, line): &(char, String)| match kind {
        's' => ('s', name(line)),
        _ => (*kind, line.clone()),
    };
    lines.iter().map(outline).collect()
}

/// The texts that are not white space; without elements beside them they are kept as they are.
fn texts(e: &Element) -> Vec<&str> {
    let is_blank = |text: &str| text.chars().all(|c| " \t\r\n".contains(c));
    let own = e.children.iter().filter_map(|node| match node {
        Node::Text(t) if !is_blank(&t.value) => Some(t.value.as_str()),
        Node::Text(_) | Node::Element(_) => None,
    });
    own.chain(e.elements().flat_map(texts)).collect()
}

/// Checks that a written tree reads back as the same, and is then written as before.
fn written(tree: &Element) {
    for write in [write, write_compact] {
        let text = write(tree);
        let again = parse(SourceId::NONE, &text, &Limits::default())
            .unwrap_or_else(|p| panic!("what was written is not read: {}\n{text}", p.summary));
        assert_eq!(&again, tree, "it was written as\n{text}");
        assert_eq!(texts(&again), texts(tree), "it was written as\n{text}");
        assert_eq!(write(&again), text, "written again, it differs");
    }
}
