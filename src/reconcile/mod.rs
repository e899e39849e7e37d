//! From desired and observed to a plan, and from a plan to a converged host.
//!
//! Floor 3: imports everything below it. `overlay`, `plan` and all they use are pure functions of
//! values; only `apply` and `observe` talk to a driver.

mod normalize;
mod overlay;
mod pairing;

pub use overlay::{Change, Edit, Origin, Overlay, Side, overlay};
