//! Malformed documents: where each is refused, and that whatever xmllint refuses is refused.

use crate::support::{run, tool, trial, trial_if};
use diagnostics::Sources;
use libtest_mimic::Trial;
use std::fs;
use std::process::Command;
use xmltree::{Limits, parse};

/// Documents that are not well-formed, with the line, column and text of each message.
const MALFORMED: &[(&str, &str)] = &[
    // elements
    ("", "1:1 the document has no root element"),
    ("<!-- only -->", "1:1 the document has no root element"),
    ("text", "1:1 there is text outside the root element"),
    ("<a/>\n text", "2:2 there is text outside the root element"),
    ("<a/>&amp;", "1:5 there is a reference outside the root element"),
    ("&#32;<a/>", "1:1 there is a reference outside the root element"),
    ("<a/><![CDATA[]]>", "1:5 there is a CDATA section outside the root element"),
    ("<![CDATA[ ]]><a/>", "1:1 there is a CDATA section outside the root element"),
    ("\u{feff}\u{feff}<a/>", "1:2 there is text outside the root element"),
    ("<a/>\u{a0}", "1:5 there is text outside the root element"),
    ("<a/><b/>", "1:5 the document has a second root element"),
    ("<a>\n <b>\n</a>", "3:3 </a> does not end <b>"),
    ("<a><b></B></a>", "1:9 </B> does not end <b>"),
    ("<a></a></a>", "1:10 </a> ends an element that is not open"),
    ("<a><b/></b></a>", "1:10 </b> does not end <a>"),
    ("</a>", "1:3 </a> ends an element that is not open"),
    ("<a></ a>", "1:6 </ a> does not end <a>"),
    ("<a></a b='c'>", "1:6 </a b='c'> does not end <a>"),
    ("<a></a/>", "1:6 </a/> does not end <a>"),
    ("<a>\n  <b>", "2:3 <b> is not closed"),
    ("<a>text", "1:1 <a> is not closed"),
    // tags
    ("<", "1:1 no name follows \"<\""),
    ("<>", "1:1 no name follows \"<\""),
    ("< a/>", "1:1 no name follows \"<\""),
    ("<a>1 < 2</a>", "1:6 no name follows \"<\""),
    ("<a", "1:1 the start tag <a> is not closed"),
    ("<a>\n<b c='d'\n", "2:1 the start tag <b> is not closed"),
    ("<a></a", "1:4 the end tag is not closed"),
    ("<a><b></b\n </a>", "1:7 the end tag is not closed"),
    ("<a <b/>", "1:4 \"<\" stands inside a tag"),
    ("<a b='c'\n  <d/>", "2:3 \"<\" stands inside a tag"),
    ("<a / >", "1:4 \"/\" is not expected inside a tag"),
    ("<a b='c'/ d='e'>", "1:9 \"/\" is not expected inside a tag"),
    ("<a/ >", "1:3 \"a/\" is not a name"),
    // names
    ("<1a/>", "1:2 \"1a\" is not a name"),
    ("<-a/>", "1:2 \"-a\" is not a name"),
    ("<a$b/>", "1:3 \"a$b\" is not a name"),
    ("<a\u{d7}/>", "1:3 \"a\u{d7}\" is not a name"),
    ("<\u{300}a/>", "1:2 \"\u{300}a\" is not a name"),
    ("<a='b'/>", "1:3 \"a='b'\" is not a name"),
    ("<a 1b='c'/>", "1:4 \"1b\" is not a name"),
    ("<a b$c='d'/>", "1:5 \"b$c\" is not a name"),
    ("<a b\u{d7}='d'/>", "1:5 \"b\u{d7}\" is not a name"),
    // attributes
    ("<a b/>", "1:4 the attribute b has no value"),
    ("<a b c='d'/>", "1:4 the attribute b has no value"),
    ("<a b'c'/>", "1:4 the attribute b has no value"),
    ("<a b=/>", "1:6 the value of b is not in quotes"),
    ("<a b=c/>", "1:6 the value of b is not in quotes"),
    ("<a\nb = c>", "2:5 the value of b is not in quotes"),
    ("<a ='b'/>", "1:4 \"=\" is not expected inside a tag"),
    ("<a 'b'/>", "1:4 \"'\" is not expected inside a tag"),
    ("<a b='c'd='e'/>", "1:9 no whitespace before d"),
    ("<a b='c''/>", "1:9 \"'\" is not expected inside a tag"),
    ("<a b='c'\n   d='' b='e'/>", "2:9 the attribute b is given twice"),
    ("<a b='c", "1:6 the value of b is not closed"),
    ("<a b=\"c'>text", "1:6 the value of b is not closed"),
    ("<a b='c>\n <d e='f'/></a>", "2:2 \"<\" stands in the value of an attribute"),
    ("<a b='c>\n <d/></a>", "2:2 \"<\" stands in the value of an attribute"),
    ("<a b='1 < 2'/>", "1:9 \"<\" stands in the value of an attribute"),
    ("<a b='\u{1}'/>", "1:7 the character U+0001 is not allowed in XML"),
    ("<a b='c\u{ffff}'/>", "1:8 the character U+FFFF is not allowed in XML"),
    ("<a b='\t\u{fffe}'/>", "1:8 the character U+FFFE is not allowed in XML"),
    ("<a b='1 & 2'/>", "1:9 \"&\" starts no reference: \";\" is missing"),
    ("<a b='&amp'/>", "1:7 \"&\" starts no reference: \";\" is missing"),
    ("<a b='&amp &amp;'/>", "1:7 \"&\" starts no reference: \";\" is missing"),
    ("<a b='c&;'/>", "1:8 &; is not a reference"),
    ("<a b='&nbsp;'/>", "1:7 entity &nbsp; is not known"),
    ("<a b='&#0;'/>", "1:7 &#0; is not a character that XML allows"),
    // references in text
    ("<a>1 & 2</a>", "1:6 \"&\" starts no reference: \";\" is missing"),
    ("<a>&amp &lt;</a>", "1:4 \"&\" starts no reference: \";\" is missing"),
    ("<a>&", "1:4 \"&\" starts no reference: \";\" is missing"),
    ("<a>&;</a>", "1:4 &; is not a reference"),
    ("<a>&1;</a>", "1:4 &1; is not a reference"),
    ("<a>&a b;</a>", "1:4 &a b; is not a reference"),
    ("<a>\n&nbsp;</a>", "2:1 entity &nbsp; is not known"),
    ("<a>&#0;</a>", "1:4 &#0; is not a character that XML allows"),
    ("<a>&#8;</a>", "1:4 &#8; is not a character that XML allows"),
    ("<a>&#xD800;</a>", "1:4 &#xD800; is not a character that XML allows"),
    ("<a>&#xFFFE;</a>", "1:4 &#xFFFE; is not a character that XML allows"),
    ("<a>&#x110000;</a>", "1:4 &#x110000; is not a character that XML allows"),
    ("<a>&#4294967361;</a>", "1:4 &#4294967361; is not a character that XML allows"),
    ("<a>&#;</a>", "1:4 &#; is not a reference"),
    ("<a>&#x;</a>", "1:4 &#x; is not a reference"),
    ("<a>&#X41;</a>", "1:4 &#X41; is not a reference"),
    ("<a>&#+65;</a>", "1:4 &#+65; is not a reference"),
    ("<a>&#6 5;</a>", "1:4 &#6 5; is not a reference"),
    // text and CDATA
    ("<a>b\u{0}c</a>", "1:5 the character U+0000 is not allowed in XML"),
    ("<a>\u{1}</a>", "1:4 the character U+0001 is not allowed in XML"),
    ("<a>é\u{1f}</a>", "1:5 the character U+001F is not allowed in XML"),
    ("<a>\u{fffe}</a>", "1:4 the character U+FFFE is not allowed in XML"),
    ("<a>b ]]> c</a>", "1:6 ]]> ends a CDATA section that is not open"),
    ("<a>]]]></a>", "1:5 ]]> ends a CDATA section that is not open"),
    ("<a><![CDATA[b\u{b}]]></a>", "1:14 the character U+000B is not allowed in XML"),
    ("<a><![CDATA[b]></a>", "1:4 the CDATA section is not closed"),
    ("<a><![cdata[b]]></a>", "1:4 \"<!\" starts nothing known"),
    ("<a><!b></a>", "1:4 \"<!\" starts nothing known"),
    // comments and processing instructions
    ("<a><!-- b -- c --></a>", "1:11 a comment cannot hold \"--\""),
    ("<a><!-- b ---></a>", "1:11 a comment cannot hold \"--\""),
    ("<a><!-----></a>", "1:8 a comment cannot hold \"--\""),
    ("<a><!-- b", "1:4 the comment is not closed"),
    ("<a><!--></a>", "1:4 the comment is not closed"),
    ("<!-- \u{2} --><a/>", "1:6 the character U+0002 is not allowed in XML"),
    ("<a><!- b --></a>", "1:4 \"<!\" starts nothing known"),
    ("<a><?b c</a>", "1:4 the processing instruction is not closed"),
    ("<a><?b \u{3}?></a>", "1:8 the character U+0003 is not allowed in XML"),
    ("<a><? b?></a>", "1:6 a name is missing"),
    ("<a><??></a>", "1:6 a name is missing"),
    ("<a><?1b?></a>", "1:6 \"1b\" is not a name"),
    ("<a><?b$c?></a>", "1:7 \"b$c\" is not a name"),
    ("<?XML version='1.0'?><a/>", "1:3 <?XML is reserved for the XML declaration"),
    ("<a><?Xml?></a>", "1:6 <?Xml is reserved for the XML declaration"),
    // the XML declaration
    ("\n<?xml version='1.0'?><a/>", "2:1 the XML declaration is not at the very start"),
    (" <?xml version='1.0'?><a/>", "1:2 the XML declaration is not at the very start"),
    ("<a><?xml version='1.0'?></a>", "1:4 the XML declaration is not at the very start"),
    ("<a/><?xml version='1.0'?>", "1:5 the XML declaration is not at the very start"),
    ("<!-- --><?xml version='1.0'?><a/>", "1:9 the XML declaration is not at the very start"),
    ("<?xml?><a/>", "1:1 the XML declaration has no version"),
    ("<?xml ?><a/>", "1:1 the XML declaration has no version"),
    ("<?xml encoding='UTF-8'?><a/>", "1:7 encoding is not expected here in the XML declaration"),
    ("<?xml version='2.0'?><a/>", "1:16 \"2.0\" is not a value of version"),
    ("<?xml version='1'?><a/>", "1:16 \"1\" is not a value of version"),
    ("<?xml version=''?><a/>", "1:16 \"\" is not a value of version"),
    ("<?xml version='1&#46;0'?><a/>", "1:16 \"1&#46;0\" is not a value of version"),
    ("<?xml version=1.0?><a/>", "1:15 the value of version is not in quotes"),
    ("<?xml version='1.0'encoding='UTF-8'?><a/>", "1:20 no whitespace before encoding"),
    (
        "<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>",
        "1:38 encoding is not expected here in the XML declaration",
    ),
    (
        "<?xml version='1.0' version='1.0'?><a/>",
        "1:21 version is not expected here in the XML declaration",
    ),
    ("<?xml version='1.0' a='b'?><a/>", "1:21 a is not expected here in the XML declaration"),
    ("<?xml version='1.0' standalone='YES'?><a/>", "1:33 \"YES\" is not a value of standalone"),
    ("<?xml version='1.0' standalone=''?><a/>", "1:33 \"\" is not a value of standalone"),
    ("<?xml version='1.0'><a/>", "1:1 the processing instruction is not closed"),
    (
        "<?xml version='1.0' encoding=''?><a/>",
        "1:31 the encoding that the document declares is empty",
    ),
    (
        "<?xml version='1.0' encoding='US-ASCII'?>\n<a>é</a>",
        "2:4 the document declares US-ASCII but holds more",
    ),
    (
        "<?xml version='1.0' encoding='UTF-16'?><a/>",
        "1:31 the document declares the encoding UTF-16",
    ),
    // document types, as far as they are no documents either
    ("<!doctype a><a/>", "1:1 a document type declaration (DTD) is refused"),
    ("<a/><!DOCTYPE a>", "1:5 a document type declaration (DTD) is refused"),
    ("<!DOCTYPE><a/>", "1:1 a document type declaration (DTD) is refused"),
    ("<!DOCTYPE a [<a/>", "1:1 a document type declaration (DTD) is refused"),
];

/// Documents that xmllint reads, some with a warning, and we do not.
const OURS: &[(&str, &str)] = &[
    // faults by namespaces
    ("<p:a/>", "1:2 the prefix p is not declared"),
    ("<a\n  p:b='c'/>", "2:3 the prefix p is not declared"),
    ("<a><b xmlns:p='u'/><p:c/></a>", "1:21 the prefix p is not declared"),
    ("<a xmlns:p=''/>", "1:4 a prefix cannot be undeclared"),
    ("<a xmlns:xmlns='u'/>", "1:4 the prefix xmlns cannot be declared"),
    ("<a xmlns:xml='u'/>", "1:4 the prefix xml cannot be bound to another namespace"),
    (
        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "1:4 only the prefix xml can be bound to its namespace",
    ),
    (
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "1:4 only the prefix xml can be bound to its namespace",
    ),
    (
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "1:4 nothing can be bound to the namespace of xmlns",
    ),
    ("<xmlns:a/>", "1:2 an element cannot have the prefix xmlns"),
    ("<a:b:c xmlns:a='u'/>", "1:5 \"a:b:c\" is not a name"),
    ("<:a/>", "1:2 \":a\" is not a name"),
    ("<a:/>", "1:3 \"a:\" is not a name"),
    ("<a xmlns:b='u' b:1='c'/>", "1:18 \"b:1\" is not a name"),
    ("<a b:='c'/>", "1:5 \"b:\" is not a name"),
    ("<a xmlns:='c'/>", "1:9 \"xmlns:\" is not a name"),
    ("<a><?b:c?></a>", "1:7 \"b:c\" is not a name"),
    // other encodings, which are not text to us
    (
        "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
        "1:31 the document declares the encoding ISO-8859-1",
    ),
    // document types
    ("<!DOCTYPE a><a/>", "1:1 a document type declaration (DTD) is refused"),
    (
        "<!DOCTYPE a [<!ENTITY b 'c'>]>\n<a>&b;</a>",
        "1:1 a document type declaration (DTD) is refused",
    ),
];

/// Documents that both read.
const WELL_FORMED: &[&str] = &[
    "\u{feff}<?xml version=\"1.0\" encoding='utf-8' standalone=\"no\" ?>\n<!-- - --><a/><?b c?>\n",
    "<?xml\nversion = '1.0'\tencoding='UTF-8'?><a/>",
    "<a\tb = 'c>'\r\n d=\"'\" ></a\n>",
    "<é.-·_1\u{300} 𐀀='\u{10ffff}'/>",
    "<a>]] > ]]&gt; > \u{7f}\u{85}\u{fffd}&#x10FFFF;&#9;&lt;&quot;&apos;</a>",
    "<a><![CDATA[<b>&c;]] ]>]]><!----><!-- <b> & --><?xml-b <c> & ??></a>",
    "<a xmlns='u' xmlns:p='u' b='1' p:b='2' xml:lang='en' xmlns:xml='http://www.w3.org/XML/1998/namespace'><p:c xmlns=''/></a>",
    "<a b='&lt;&#10;&#x20;\t\r\n]]>'/>",
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("real/wellformed/each_malformation_has_its_place", places),
        trial_if(tool("xmllint"), "real/wellformed/what_xmllint_refuses_is_refused", |xmllint| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("document.xml");
            let mut wrong = Vec::new();
            let mut judge = |text: &str, accepted: bool| {
                fs::write(&path, text).unwrap();
                let ran = run(Command::new(&xmllint).args(["--noout", "--nonet"]).arg(&path));
                if (ran.code() == 0) != accepted {
                    wrong.push(format!("{text:?}: {}", ran.stderr()));
                }
            };
            MALFORMED.iter().for_each(|(text, _)| judge(text, false));
            OURS.iter().for_each(|(text, _)| judge(text, true));
            WELL_FORMED.iter().for_each(|text| judge(text, true));
            assert!(wrong.is_empty(), "xmllint judges otherwise:\n{}", wrong.join("\n"));
        }),
    ]
}

fn places() {
    let mut wrong = Vec::new();
    for (text, expected) in MALFORMED.iter().chain(OURS) {
        match problem(text) {
            Some(said) if said == *expected => {}
            said => wrong.push(format!("{text:?}\n  expected {expected}\n  said     {said:?}")),
        }
    }
    for text in WELL_FORMED {
        wrong.extend(problem(text).map(|said| format!("{text:?}\n  said     {said}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the problem for which a document is refused, if it is.
fn problem(text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let id = sources.add("t", text);
    let problem = parse(id, text, &Limits::default()).err()?;
    let (_, at) = sources.locate(problem.span.unwrap()).unwrap();
    Some(format!("{}:{} {}", at.line, at.column, problem.summary))
}
