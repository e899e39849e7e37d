//! Limits of a document, above which it is refused.

/// Limits of one document; by default those of a document from a host. The numbers stop a hostile manifest before a tree is built; libvirt's
/// own are 10 MiB and a depth of 256.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the document.
    pub bytes: usize,
    /// Elements inside one another.
    pub depth: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Namespace declarations in scope at once.
    pub namespaces: usize,
    /// Elements in all.
    pub elements: usize,
}

impl Limits {
    /// Limits of a file of manifests, which may hold the objects of a whole site.
    pub const MANIFEST: Self =
        Self { bytes: 32 << 20, depth: 256, attributes: 256, namespaces: 64, elements: 2_000_000 };
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 10 << 20, depth: 256, attributes: 256, namespaces: 64, elements: 200_000 }
    }
}
