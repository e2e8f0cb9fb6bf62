//! Runs processes: starts them in order, watches them, reaps, stops them in reverse order.
//!
//! The engine knows nothing of YAML, users, SSH or installers: a [`spec::Spec`] tells it all. [`machine`] decides,
//! [`run`] acts.

pub mod control;
pub mod machine;
pub mod notify;
mod outputs;
mod pace;
pub mod processes;
pub mod run;
pub mod schedule;
pub mod snapshot;
pub mod spawn;
pub mod spec;
pub mod terminal;
