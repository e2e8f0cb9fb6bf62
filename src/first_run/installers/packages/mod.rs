//! What a tool that a step has installed installs in its turn: the parts of steps that are redone by themselves.

mod bun;
mod code_server;
mod micromamba;
mod ollama;
mod pixi;
mod uv;

pub use bun::bun;
pub use code_server::code_server;
pub use micromamba::micromamba;
pub use ollama::ollama;
pub use pixi::pixi;
pub use uv::{uv_python, uv_tools};

use std::path::PathBuf;

use super::command::trimmed;
use super::{node, npm, tool};
use crate::config::first_run::{Mirrors, Node};
use crate::first_run::task::Part;
use crate::first_run::{Installer, Place};

/// `global` of a step `node`.
#[must_use]
pub fn node(step: &Node, place: &Place) -> Option<Part> {
    let wish = || Some(tool::wish::<node::Node>(&step.version, &step.sha256));
    // The step itself comes first anyhow: `node` would only say once more what it needs.
    some(&step.global, || Part { suffix: "global".to_owned(), after: &[], ..npm::global(&step.global, wish(), place) })
}

/// A part, if it has anything to do.
fn some<T>(list: &[T], part: impl FnOnce() -> Part) -> Option<Part> {
    (!list.is_empty()).then(part)
}

/// A part of this name, with a folder of programs for the PATH.
fn part(suffix: &str, path: Option<PathBuf>, installer: impl Installer + 'static) -> Part {
    Part { suffix: suffix.to_owned(), path: path.into_iter().collect(), ..Part::main(installer) }
}

/// The options for conda channels: those of the config, or none for the tool's default, conda-forge. With a mirror they
/// are folders of it.
fn channels(channels: &[String], mirrors: &Mirrors, default: bool) -> Vec<String> {
    let forge = [String::from("conda-forge")];
    let channels = if channels.is_empty() && (default || mirrors.conda.is_some()) { &forge } else { channels };
    let located = |channel: &String| match &mirrors.conda {
        Some(mirror) if !channel.contains("://") => format!("{}/{channel}", trimmed(mirror)),
        _ => channel.clone(),
    };
    channels.iter().flat_map(|channel| ["-c".to_owned(), located(channel)]).collect()
}

/// The name of the package that a conda specification begins with: `jq` of `jq >=1.6`, `conda-forge::jq[build=*]`.
fn conda_name(specification: &str) -> Option<&str> {
    let (_, name) = specification.rsplit_once("::").unwrap_or(("", specification));
    let name = name.trim();
    let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(name.len());
    name.get(..end).filter(|name| name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, words};
    use super::*;

    #[test]
    fn lists_without_anything_make_no_parts() {
        let place = Place::system();
        let parts = [
            node(&Node::default(), &place),
            bun(&Default::default(), &place),
            pixi(&Default::default(), &place),
            uv_python(&Default::default(), &place),
            uv_tools(&Default::default(), &place),
            ollama(&Default::default(), &place),
            code_server(&Default::default(), &place),
        ];
        assert!(parts.iter().all(Option::is_none));
        assert!(micromamba(&Default::default(), &place).is_empty());
    }

    #[test]
    fn the_global_packages_of_node_are_npms() {
        let mut bench = Bench::new();
        bench.tool("npm", "");
        let part = node(&Node { global: words(&["yarn"]), ..Node::default() }, &bench.place).unwrap();
        bench.install(&part).unwrap();
        assert_eq!((part.suffix.as_str(), bench.commands()[0].last().unwrap().as_str()), ("global", "yarn"));
    }

    #[test]
    fn channels_are_folders_of_the_mirror_unless_they_are_urls() {
        let none = Mirrors::default();
        assert_eq!(channels(&[], &none, false), [] as [&str; 0]);
        assert_eq!(channels(&[], &none, true), ["-c", "conda-forge"]);
        let mirror = Mirrors { conda: Some("file:///srv/conda/".to_owned()), ..Mirrors::default() };
        assert_eq!(channels(&[], &mirror, false), ["-c", "file:///srv/conda/conda-forge"]);
        let given = words(&["bioconda", "https://own.example/channel"]);
        let expected = ["-c", "file:///srv/conda/bioconda", "-c", "https://own.example/channel"];
        assert_eq!(channels(&given, &mirror, false), expected);
    }

    #[test]
    fn conda_specifications_begin_with_a_name() {
        for specification in ["jq", "jq=1.7", "jq >=1.6,<2", "conda-forge::jq", "jq[version='1.7']", "jq==1"] {
            assert_eq!(conda_name(specification), Some("jq"), "{specification}");
        }
        assert_eq!(conda_name("../x"), None);
        assert_eq!(conda_name(""), None);
    }
}
