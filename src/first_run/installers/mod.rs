//! The ways of installing things: one file each.

pub mod apt;
pub mod bun;
pub mod claude_code;
pub mod code_server;
pub mod codex;
mod command;
pub mod download;
pub mod git;
pub mod github;
pub mod micromamba;
pub mod node;
pub mod npm;
pub mod ollama;
pub mod packages;
pub mod pip;
pub mod pixi;
pub mod script;
pub mod target;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
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
        Step::Pixi(step) => {
            with(tool::part::<pixi::Pixi>(&step.version, &step.sha256, place), packages::pixi(step, place))
        }
        Step::Uv(step) => with(
            tool::part::<uv::Uv>(&step.version, &step.sha256, place),
            packages::uv_python(step, place).into_iter().chain(packages::uv_tools(step, place)),
        ),
        Step::Node(step) => {
            with(tool::part::<node::Node>(&step.version, &step.sha256, place), packages::node(step, place))
        }
        Step::Bun(step) => with(tool::part::<bun::Bun>(&step.version, &step.sha256, place), packages::bun(step, place)),
        Step::ClaudeCode(step) => {
            vec![tool::part::<claude_code::ClaudeCode>(&step.version, &step.sha256, place)]
        }
        Step::Codex(step) => vec![tool::part::<codex::Codex>(&step.version, &step.sha256, place)],
        Step::Micromamba(step) => with(
            tool::part::<micromamba::Micromamba>(&step.version, &step.sha256, place),
            packages::micromamba(step, place),
        ),
        Step::Ollama(step) => {
            with(tool::part::<ollama::Ollama>(&step.version, &step.sha256, place), packages::ollama(step, place))
        }
        Step::CodeServer(step) => with(
            tool::part::<code_server::CodeServer>(&step.version, &step.sha256, place),
            packages::code_server(step, place),
        ),
        Step::Download(step) => vec![download::part(step)],
        Step::Script(step) => vec![script::part(step, place)],
        Step::Apt(step) => vec![apt::part(step, place)],
        Step::Pip(step) => vec![pip::part(step, place)],
        Step::Npm(step) => vec![npm::part(step, place)],
        Step::Git(step) => vec![git::part(step, place)],
    }
}

/// A tool, and what is installed by means of it.
fn with(tool: Part, packages: impl IntoIterator<Item = Part>) -> Vec<Part> {
    std::iter::once(tool).chain(packages).collect()
}
