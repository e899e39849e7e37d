//! Keeping hosts as their manifests say.

mod board;

pub use board::{
    Board, Condition, Counters, HostBoard, Listening, ObjectBoard, PlanRecord, Sources,
};
