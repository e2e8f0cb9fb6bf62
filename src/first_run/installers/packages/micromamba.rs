//! Environments made by micromamba.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::command::{refuse_options, require, shown};
use super::{channels, part};
use crate::config::first_run::Micromamba as Config;
use crate::fetch::Failure;
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};

struct Environment {
    name: String,
    packages: Vec<String>,
    channels: Vec<String>,
    /// `MAMBA_ROOT_PREFIX`.
    root: PathBuf,
}

/// `environments` of a step `micromamba`: a part for each, so that a changed one is redone alone.
#[must_use]
pub fn micromamba(step: &Config, place: &Place) -> Vec<Part> {
    // As micromamba's own script has it: not hidden.
    let root = if place.system { place.share() } else { place.base.clone() }.join("micromamba");
    let environment = |(name, packages): (&String, &Vec<String>)| {
        let (name, packages) = (name.clone(), packages.clone());
        part(&name.clone(), None, Environment { name, packages, channels: step.channels.clone(), root: root.clone() })
    };
    step.environments.iter().map(environment).collect()
}

impl Environment {
    /// The arguments that decide what is there afterwards.
    fn arguments<'a>(&'a self, channels: &'a [String]) -> impl Iterator<Item = &'a str> {
        let packages = self.packages.iter().map(String::as_str);
        ["-n", &self.name].into_iter().chain(channels.iter().map(String::as_str)).chain(packages)
    }

    fn prefix(&self) -> PathBuf {
        self.root.join("envs").join(&self.name)
    }
}

impl Installer for Environment {
    fn key(&self) -> Value {
        json!({"micromamba": self.name, "packages": self.packages, "channels": self.channels})
    }

    fn summary(&self) -> String {
        let channels: Vec<_> = self.channels.iter().flat_map(|channel| ["-c".to_owned(), channel.clone()]).collect();
        shown(["micromamba", "create"].into_iter().chain(self.arguments(&channels)))
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        refuse_options(self.packages.iter().chain(&self.channels).chain([&self.name]))?;
        if self.name == "base" || self.name.starts_with('.') || self.name.contains('/') {
            return Err(Failure::permanent(format!("{:?} is no name for a new environment", self.name)));
        }
        require(job, "micromamba", "the step `micromamba` itself brings it: run that first")?;
        // By this micromamba itself tells an environment; it would remove one before it makes it anew. An empty folder
        // keeps older versions from making one.
        let exists = self.prefix().join("conda-meta").is_dir();
        let _ = std::fs::remove_dir(self.prefix());
        if exists && self.packages.is_empty() {
            return Ok(Installed::default());
        }
        let channels = channels(&self.channels, &job.sources.mirrors, true);
        let action = if exists { "install" } else { "create" };
        let command = ["micromamba", action, "-y", "-q"].into_iter().chain(self.arguments(&channels));
        let run = Run::new(command).env("MAMBA_ROOT_PREFIX", self.root.to_string_lossy());
        job.run(&run)
            .map_err(|failure| job.not_in_bundle(failure.context(format!("micromamba {action} -n {}", self.name))))?;
        Ok(Installed::default())
    }

    fn present(&self, _: &Installed) -> bool {
        self.prefix().join("conda-meta").is_dir()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Bench, present, words};
    use super::*;
    use crate::fetch::Retry;

    fn parts(bench: &Bench, environments: &[(&str, &[&str])]) -> Vec<Part> {
        let environments = environments.iter().map(|(name, packages)| ((*name).to_owned(), words(packages))).collect();
        micromamba(&Config { environments, ..Config::default() }, &bench.place)
    }

    #[test]
    fn each_environment_is_a_part_that_is_created_once_and_added_to_later() {
        let mut bench = Bench::new();
        bench.tool("micromamba", "");
        let parts = parts(&bench, &[("ml", &["python=3.12", "numpy"]), ("tools", &["jq"])]);
        assert_eq!(parts.iter().map(|part| part.suffix.as_str()).collect::<Vec<_>>(), ["ml", "tools"]);
        assert!(!present(&parts[0], &Installed::default()));
        bench.install(&parts[0]).unwrap();
        bench.file("micromamba/envs/ml/conda-meta/history", "", 0o644);
        bench.install(&parts[0]).unwrap();
        let calls = bench.calls();
        for (call, action) in calls.iter().zip(["create", "install"]) {
            let expected = ["micromamba", action, "-y", "-q", "-n", "ml", "-c", "conda-forge", "python=3.12", "numpy"];
            assert_eq!(call.command, expected);
            assert_eq!(call.variable("MAMBA_ROOT_PREFIX"), bench.home("micromamba").to_str().unwrap());
        }
        assert!(present(&parts[0], &Installed::default()));
        assert_eq!(parts[1].installer.summary(), "micromamba create -n tools jq");
    }

    #[test]
    fn a_folder_that_is_empty_does_not_keep_an_environment_from_being_made_and_a_full_one_stays() {
        let mut bench = Bench::new();
        bench.tool("micromamba", "");
        let parts = parts(&bench, &[("empty", &["jq"]), ("full", &["jq"])]);
        std::fs::create_dir_all(bench.home("micromamba/envs/empty")).unwrap();
        bench.file("micromamba/envs/full/precious", "", 0o644);
        parts.iter().for_each(|part| drop(bench.install(part)));
        assert!(!bench.home("micromamba/envs/empty").exists());
        assert!(bench.home("micromamba/envs/full/precious").exists());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let mut bench = Bench::new();
        bench.tool("micromamba", "");
        for part in parts(
            &bench,
            &[("../../x", &[]), ("..", &[]), ("-p", &[]), ("base", &["jq"]), ("", &[]), ("a", &["--file=x"])],
        ) {
            assert_eq!(bench.install(&part).unwrap_err().retry, Retry::Never);
        }
        assert_eq!(bench.commands(), [] as [Vec<String>; 0]);
    }
}
