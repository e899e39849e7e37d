//! Large documents of many shapes, to be judged in time that grows with their size and no faster.
//! Used by `tests/schema/scale.rs` and `benches/scale.rs`.

/// Shape: its name, and a function for a document of about a given number of bytes. All are judged by our
/// grammar of domains; most are not valid.
pub(crate) type Shape = (&'static str, fn(usize) -> String);

/// Elements of one document; more are refused before they are judged.
const ELEMENTS: usize = 199_000;

pub(crate) const SHAPES: [Shape; 22] = [
    ("disks, all alike", |size| devices(size, |_| disk("vda", 0))),
    ("disks, each another", |size| devices(size, |i| disk(&format!("vd{i}"), i))),
    ("children of disks in many orders", |size| devices(size, shuffled_disk)),
    ("elements without attributes", |size| devices(size, |_| "<hub type='usb'/>".into())),
    ("unknown elements, all alike", |size| devices(size, |_| "<unknown/>".into())),
    ("unknown elements, each another", |size| devices(size, |i| format!("<unknown{i}/>"))),
    ("elements with a mistake each", |size| devices(size, |i| disk("sda' nonsense='1", i))),
    ("elements that may stand once", |size| head(size, |_| "<vcpu>1</vcpu>".into())),
    ("elements of another place", |size| head(size, |_| "<disk type='file'/>".into())),
    ("depth", |size| {
        metadata(size, |_| format!("{}{}", "<m:a>".repeat(240), "</m:a>".repeat(240)))
    }),
    ("many attributes", |size| metadata(size, |_| format!("<m:a{}/>", attributes(240)))),
    ("many wrong attributes", |size| devices(size, |_| format!("<hub{}/>", attributes(240)))),
    ("foreign elements", |size| metadata(size, |i| format!("<m:a b='{i}'>{i}</m:a>"))),
    ("one long text", |size| head_once(size, |n| format!("<title>{}</title>", "x".repeat(n)))),
    ("one long number", |size| head_once(size, |n| format!("<memory>{}</memory>", "1".repeat(n)))),
    ("one long UUID", |size| head_once(size, |n| format!("<uuid>{}</uuid>", "a".repeat(n)))),
    ("one long list of CPUs", |size| {
        head_once(size, |n| format!("<vcpu cpuset='{}0'>1</vcpu>", "1-2,".repeat(n / 4)))
    }),
    ("one long enumerated value", |size| {
        head_once(size, |n| format!("<on_crash>{}</on_crash>", "destroy".repeat(n / 7)))
    }),
    ("references and CDATA in a text", |size| {
        let text = |n: usize| "&amp;&#65;<![CDATA[b]]><!-- c -->".repeat(n / 34);
        head_once(size, |n| format!("<description>{}</description>", text(n)))
    }),
    ("white space", |size| head_once(size, |n| " \n".repeat(n / 2))),
    ("text between elements", |size| devices(size, |_| "<hub type='usb'/> text ".into())),
    ("a bit of everything", |size| {
        devices(size, |i| match i % 4 {
            0 => disk("vda", i),
            1 => shuffled_disk(i),
            2 => {
                format!("<interface type='network'><mac address='52:54:00:00:00:{i}'/></interface>")
            }
            _ => format!(
                "<channel type='unix'><alias name='ua-{i}'/> x <target type='{i}'/></channel>"
            ),
        })
    }),
];

/// Returns a domain with `middle` behind its required parts.
fn domain(middle: &str) -> String {
    format!(
        "<domain type='kvm' xmlns:m='urn:m'><name>n</name><memory>1</memory><os><type>hvm</type>\
         </os>{middle}</domain>"
    )
}

/// Returns pieces of about `size` bytes together, and of no more elements than a document may have.
fn fill(size: usize, piece: impl Fn(usize) -> String) -> String {
    let (mut out, mut elements, mut i) = (String::with_capacity(size + 4096), 0, 0);
    while out.len() < size && elements < ELEMENTS {
        let piece = piece(i);
        elements += piece.matches('<').count() - piece.matches("</").count();
        out.push_str(&piece);
        i += 1;
    }
    out
}

fn devices(size: usize, piece: impl Fn(usize) -> String) -> String {
    domain(&format!("<devices>{}</devices>", fill(size, piece)))
}

fn metadata(size: usize, piece: impl Fn(usize) -> String) -> String {
    domain(&format!("<metadata>{}</metadata>", fill(size, piece)))
}

fn head(size: usize, piece: impl Fn(usize) -> String) -> String {
    domain(&fill(size, piece))
}

fn head_once(size: usize, piece: impl Fn(usize) -> String) -> String {
    domain(&piece(size))
}

fn disk(target: &str, number: usize) -> String {
    format!(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>\
         <source file='/var/lib/images/{number}.qcow2'/><target dev='{target}' bus='virtio'/></disk>"
    )
}

/// A disk with its children in one of many orders.
fn shuffled_disk(number: usize) -> String {
    let mut left = vec![
        "<driver name='qemu' type='raw'/>",
        "<source file='/a'/>",
        "<target dev='vda'/>",
        "<boot order='1'/>",
        "<serial>s</serial>",
        "<wwn>5000c50015ea71ad</wwn>",
        "<vendor>v</vendor>",
        "<product>p</product>",
        "<readonly/>",
        "<shareable/>",
        "<transient/>",
        "<alias name='ua-a'/>",
    ];
    // 12! orders: the number is spread over them
    let mut order = number.wrapping_mul(479_001_599);
    let mut out = String::from("<disk type='file'>");
    while !left.is_empty() {
        out.push_str(left.swap_remove(order % left.len()));
        order = order / 7 + number;
    }
    out + "</disk>"
}

fn attributes(count: usize) -> String {
    (0..count).map(|i| format!(" a{i}='{i}'")).collect()
}
