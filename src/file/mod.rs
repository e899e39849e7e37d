//! Opening files that somebody else may have chosen: regular ones alone, without waiting for them,
//! and beneath a directory.
//!
//! - `approach.rs`: links on the way to a given path
//! - `beneath.rs`: a directory beneath which files are opened, and never elsewhere, whatever happens meanwhile
//! - `held.rs`: a directory that is kept open, and names in it
//! - `owned.rs`: files that say whom to trust: the caller's or root's, and closed to others
//! - `regular.rs`: regular files alone, opened without waiting for them
//! - `roots.rs`: several directories beneath which files are read, and where links lead
//! - `step.rs`: steps of a path that is gone name by name
//! - `users.rs`: users who can write a file: owner, group, access control lists
//! - `way.rs`: directories on the way to a file, and users who can exchange them

mod approach;
mod beneath;
mod held;
mod owned;
mod regular;
mod roots;
mod step;
mod users;
mod way;

pub use approach::{Elsewhere, approach};
pub use beneath::{Outside, Root};
pub use held::{Held, open_itself};
pub use owned::{NotOwned, doubt, open_owned};
pub(crate) use regular::bytes;
pub use regular::{open, open_own, read};
pub use roots::Roots;
pub use users::Users;

use std::io;
use std::path::Path;

/// The bytes of a regular file that is named from a directory, and beneath that directory.
///
/// # Errors
/// It cannot be read, is none, or leads elsewhere; see [`Outside`].
pub fn read_beneath(directory: &Path, name: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let root = Root::open(directory)?;
    let real = root.real().to_owned();
    let mut roots = Roots::default();
    roots.push(root);
    let real = roots.resolve(&real, name)?;
    roots.read(&real, limit).map(|(bytes, _)| bytes)
}
