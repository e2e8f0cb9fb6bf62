//! The ways of installing things: one file each.

pub mod apt;
mod command;
pub mod git;
pub mod npm;
pub mod packages;
pub mod pip;
pub mod script;
#[cfg(test)]
mod testing;

use super::Place;
use super::task::Part;
use crate::config::first_run::Step;

/// What a step of the config is made of: the step itself first, if there is anything to it, then its other parts.
#[must_use]
pub fn parts(step: &Step, place: &Place) -> Vec<Part> {
    let _ = (step, place);
    Vec::new()
}
