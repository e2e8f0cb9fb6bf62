//! The ways of installing things: one file each.

pub mod bun;
pub mod claude_code;
pub mod code_server;
pub mod codex;
pub mod download;
pub mod github;
pub mod micromamba;
pub mod node;
pub mod ollama;
pub mod pixi;
pub mod target;
pub mod tool;
pub mod uv;
pub mod version;

use super::Place;
use super::task::Part;
use crate::config::first_run::Step;

/// What a step of the config is made of: the step itself first, if there is anything to it, then its other parts.
#[must_use]
pub fn parts(step: &Step, place: &Place) -> Vec<Part> {
    match step {
        Step::Pixi(step) => vec![tool::part::<pixi::Pixi>(&step.version, &step.sha256, place)],
        Step::Uv(step) => vec![tool::part::<uv::Uv>(&step.version, &step.sha256, place)],
        Step::Node(step) => vec![tool::part::<node::Node>(&step.version, &step.sha256, place)],
        Step::Bun(step) => vec![tool::part::<bun::Bun>(&step.version, &step.sha256, place)],
        Step::ClaudeCode(step) => vec![tool::part::<claude_code::ClaudeCode>(&step.version, &step.sha256, place)],
        Step::Codex(step) => vec![tool::part::<codex::Codex>(&step.version, &step.sha256, place)],
        Step::Download(step) => vec![Part::main(download::Download::new(step))],
        Step::Micromamba(step) => vec![tool::part::<micromamba::Micromamba>(&step.version, &step.sha256, place)],
        Step::Ollama(step) => vec![tool::part::<ollama::Ollama>(&step.version, &step.sha256, place)],
        Step::CodeServer(step) => vec![tool::part::<code_server::CodeServer>(&step.version, &step.sha256, place)],
        Step::Script(_) | Step::Apt(_) | Step::Pip(_) | Step::Npm(_) | Step::Git(_) => Vec::new(),
    }
}
