//! Runs processes: starts them in order, watches them, reaps, stops them in reverse order.
//!
//! The engine knows nothing of YAML, users, SSH or installers: a [`spec::Spec`] tells it all.

pub mod snapshot;
pub mod spec;
