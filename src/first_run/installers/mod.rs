//! The ways of installing things: one file each.

pub mod apt;
pub mod bun;
pub mod cache;
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
    use tool::part;
    match step {
        Step::Pixi(s) => with(part::<pixi::Pixi>(&s.version, &s.sha256, place), packages::pixi(s, place)),
        Step::Uv(s) => {
            let others = [packages::uv_python(s, place), packages::uv_tools(s, place)];
            with(part::<uv::Uv>(&s.version, &s.sha256, place), others.into_iter().flatten())
        }
        Step::Node(s) => with(part::<node::Node>(&s.version, &s.sha256, place), packages::node(s, place)),
        Step::Bun(s) => with(part::<bun::Bun>(&s.version, &s.sha256, place), packages::bun(s, place)),
        Step::ClaudeCode(s) => vec![part::<claude_code::ClaudeCode>(&s.version, &s.sha256, place)],
        Step::Codex(s) => vec![part::<codex::Codex>(&s.version, &s.sha256, place)],
        Step::Download(s) => vec![download::part(s)],
        Step::Script(s) => vec![script::part(s, place)],
        Step::Apt(s) => vec![apt::part(s, place)],
        Step::Pip(s) => vec![pip::part(s, place)],
        Step::Npm(s) => vec![npm::part(s, place)],
        Step::Micromamba(s) => {
            with(part::<micromamba::Micromamba>(&s.version, &s.sha256, place), packages::micromamba(s, place))
        }
        Step::Git(s) => vec![git::part(s, place)],
        Step::Ollama(s) => with(part::<ollama::Ollama>(&s.version, &s.sha256, place), packages::ollama(s, place)),
        Step::CodeServer(s) => {
            with(part::<code_server::CodeServer>(&s.version, &s.sha256, place), packages::code_server(s, place))
        }
    }
}

/// A tool, and what is installed by means of it.
fn with(main: Part, others: impl IntoIterator<Item = Part>) -> Vec<Part> {
    std::iter::once(main).chain(others).collect()
}
