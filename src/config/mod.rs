//! The config: load, merge, check.

mod check;
mod cycle;
mod decode;
mod expand;
mod forms;
mod load;
mod merge;
mod node;
mod problem;
mod yaml;

pub mod capabilities;
pub mod duration;
pub mod first_run;
pub mod limits;
pub mod model;
pub mod schema;
pub mod signal;
pub mod texts;

pub(crate) use cycle::cycles;
pub use load::{Broken, Loaded, Sources, load};
pub use model::Config;
pub use problem::{Problem, Severity};
pub use schema::text as schema_text;
pub use signal::signal_number;
