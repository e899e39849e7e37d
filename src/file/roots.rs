//! Several directories beneath which files are read, and the real paths beneath them.

use super::beneath::{Outside, Root};
use super::step::{Step, push};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// Most symbolic links on the way to one file, as in the system.
const LINKS_MAX: usize = 40;

/// Directories beneath which files are read.
#[derive(Debug, Default)]
pub struct Roots(Vec<Root>);

impl Roots {
    /// Adds a directory.
    pub fn push(&mut self, root: Root) {
        if !self.0.iter().any(|known| known.real() == root.real()) {
            self.0.push(root);
        }
    }

    /// Returns the root that a real path is beneath, or is.
    pub fn of(&self, real: &Path) -> io::Result<&Root> {
        let found = self.0.iter().find(|root| real.starts_with(root.real()));
        found.ok_or_else(|| Outside(real.to_owned()).into())
    }

    /// The bytes of a regular file, given by its real path; see [`Root::read`].
    ///
    /// # Errors
    /// It cannot be read, or is none by now.
    pub fn read(&self, real: &Path, limit: usize) -> io::Result<(Vec<u8>, Metadata)> {
        self.of(real)?.read(real, limit)
    }

    /// Resolves `path`, counted from a directory that is one of these, or beneath one, and given by its real
    /// path. Symbolic links are resolved here, name by name, so that nothing outside is even asked for.
    ///
    /// # Errors
    /// It leads outside, or something on the way cannot be looked at.
    pub fn resolve(&self, from: &Path, path: &Path) -> io::Result<PathBuf> {
        let mut at = from.to_owned();
        let mut left: Vec<Step> = Vec::new();
        push(&mut left, path);
        let mut links = 0;
        while let Some(step) = left.pop() {
            let name = match step {
                Step::Top => {
                    at = PathBuf::from("/");
                    continue;
                }
                Step::Up => {
                    at.pop();
                    continue;
                }
                Step::Down(name) => name,
            };
            let next = at.join(name);
            // real paths, and what is above them, have no links
            if self.0.iter().any(|root| root.real().starts_with(&next)) {
                at = next;
                continue;
            }
            if self.of(&next).is_err() {
                return Err(outside(next, left).into());
            }
            match std::fs::read_link(&next) {
                Ok(target) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(io::Error::other("too many symbolic links in the path"));
                    }
                    push(&mut left, &target);
                }
                // no link
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => at = next,
                Err(e) => return Err(e),
            }
        }
        self.of(&at).map(|_| ())?;
        Ok(at)
    }
}

/// Returns the error for the rest of a path that leads outside, as far as the names show it.
fn outside(mut at: PathBuf, left: Vec<Step>) -> Outside {
    for step in left.into_iter().rev() {
        match step {
            Step::Top => at = PathBuf::from("/"),
            Step::Up => drop(at.pop()),
            Step::Down(name) => at.push(name),
        }
    }
    Outside(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_as_long_as_they_stay_beneath() {
        let place = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(place.path()).unwrap();
        for directory in ["a/..1", "b", "elsewhere"] {
            fs::create_dir_all(top.join(directory)).unwrap();
        }
        for file in ["a/..1/web.xml", "b/common.xml", "elsewhere/x.xml"] {
            fs::write(top.join(file), "").unwrap();
        }
        let absolute = |name: &str| top.join(name).display().to_string();
        let links = [
            ("a/..data", "..1".to_owned()),
            ("a/web.xml", "..data/web.xml".to_owned()),
            ("a/common.xml", "../b/common.xml".to_owned()),
            ("a/absolute.xml", absolute("a/..1/web.xml")),
            ("a/out.xml", "../elsewhere/x.xml".to_owned()),
            ("a/far.xml", "/proc/self/environ".to_owned()),
            ("a/top", "/".to_owned()),
            ("a/up", "..".to_owned()),
            ("a/loop", "loop".to_owned()),
            ("a/gone.xml", "nowhere".to_owned()),
        ];
        for (name, target) in links {
            symlink(target, top.join(name)).unwrap();
        }
        let mut roots = Roots::default();
        roots.push(Root::open(&top.join("a")).unwrap());
        let resolve = |roots: &Roots, name: &str| roots.resolve(&top.join("a"), Path::new(name));
        for name in ["web.xml", "absolute.xml", "../a/..data/web.xml"] {
            assert_eq!(resolve(&roots, name).unwrap(), top.join("a/..1/web.xml"), "{name}");
        }
        for (name, leads) in [
            ("out.xml", absolute("elsewhere/x.xml")),
            ("far.xml", "/proc/self/environ".to_owned()),
            ("top", "/".to_owned()),
            ("up", top.display().to_string()),
            ("common.xml", absolute("b/common.xml")),
            ("/etc/passwd", "/etc/passwd".to_owned()),
        ] {
            let error = resolve(&roots, name).unwrap_err();
            assert!(Outside::is(&error), "{name}: {error}");
            assert!(error.to_string().starts_with(&format!("it leads to {leads}, ")), "{error}");
        }
        for name in ["loop", "gone.xml", "missing"] {
            assert!(!Outside::is(&resolve(&roots, name).unwrap_err()), "{name}");
        }
        // a link between two given roots stays within them
        roots.push(Root::open(&top.join("b")).unwrap());
        assert_eq!(resolve(&roots, "common.xml").unwrap(), top.join("b/common.xml"));
        assert!(Outside::is(&resolve(&roots, "out.xml").unwrap_err()));
    }
}
