//! The config: load, merge, check.

pub mod duration;
pub mod model;

pub use model::Config;
