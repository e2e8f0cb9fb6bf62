//! `pixi global install`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::command::{refuse_options, require, shown};
use super::{channels, conda_name, part, some};
use crate::config::first_run::Pixi as Config;
use crate::fetch::Failure;
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};

struct Pixi {
    packages: Vec<String>,
    channels: Vec<String>,
    /// `PIXI_HOME`: `bin` and `envs` are in here.
    folder: PathBuf,
}

/// `global` of a step `pixi`.
#[must_use]
pub fn pixi(step: &Config, place: &Place) -> Option<Part> {
    let folder = place.own("pixi");
    some(&step.global, || {
        let path = folder.join("bin");
        part("global", Some(path), Pixi { packages: step.global.clone(), channels: step.channels.clone(), folder })
    })
}

impl Installer for Pixi {
    fn key(&self) -> Value {
        json!({"pixi.global": self.packages, "channels": self.channels})
    }

    fn summary(&self) -> String {
        let channels = self.channels.iter().flat_map(|channel| ["-c", channel]);
        let packages = self.packages.iter().map(String::as_str);
        shown(["pixi", "global", "install"].into_iter().chain(channels).chain(packages))
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        refuse_options(self.packages.iter().chain(&self.channels))?;
        require(job, "pixi", "the step `pixi` itself brings it: run that first")?;
        let mut command = ["pixi", "global", "install"].map(str::to_owned).to_vec();
        command.extend(channels(&self.channels, &job.sources.mirrors, false));
        command.push("--".to_owned());
        command.extend_from_slice(&self.packages);
        let run = Run::new(command)
            .env("PIXI_HOME", self.folder.to_string_lossy())
            .env("PIXI_NO_PATH_UPDATE", "1")
            // A boolean of clap's, which takes no 1.
            .env("PIXI_NO_PROGRESS", "true")
            .env("PIXI_COLOR", "never")
            .env("NO_COLOR", "1");
        job.run(&run).map_err(|failure| job.not_in_bundle(failure.context("pixi global install")))?;
        Ok(Installed::default())
    }

    /// Each package has an environment of its name.
    fn present(&self, _: &Installed) -> bool {
        let environments = self.folder.join("envs");
        self.packages.iter().filter_map(|package| conda_name(package)).all(|name| environments.join(name).exists())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Bench, present, words};
    use super::*;
    use crate::fetch::Retry;

    fn global(bench: &Bench, packages: &[&str], channels: &[&str]) -> Part {
        let config = Config { global: words(packages), channels: words(channels), ..Config::default() };
        pixi(&config, &bench.place).unwrap()
    }

    #[test]
    fn packages_are_installed_into_the_home_of_pixi() {
        let mut bench = Bench::new();
        bench.tool("pixi", "");
        let part = global(&bench, &["jq", "nvitop>=1"], &["bioconda"]);
        bench.install(&part).unwrap();
        let calls = bench.calls();
        assert_eq!(calls[0].command, ["pixi", "global", "install", "-c", "bioconda", "--", "jq", "nvitop>=1"]);
        let variables = ["PIXI_HOME", "PIXI_NO_PATH_UPDATE", "PIXI_NO_PROGRESS", "PIXI_COLOR", "NO_COLOR"];
        let home = bench.home(".pixi");
        assert_eq!(variables.map(|name| calls[0].variable(name)), [home.to_str().unwrap(), "1", "true", "never", "1"]);
        assert_eq!(part.path, [bench.home(".pixi/bin")]);
        assert_eq!(part.installer.summary(), "pixi global install -c bioconda jq 'nvitop>=1'");
    }

    #[test]
    fn with_a_mirror_the_default_channel_is_there_too_and_the_key_does_not_know() {
        let mut bench = Bench::new();
        bench.tool("pixi", "");
        let part = global(&bench, &["jq"], &[]);
        let key = part.installer.key();
        bench.sources.mirrors.conda = Some("http://127.0.0.1:1/conda".to_owned());
        bench.install(&part).unwrap();
        assert_eq!(bench.commands()[0][3..5], words(&["-c", "http://127.0.0.1:1/conda/conda-forge"]));
        assert_eq!(key, part.installer.key());
    }

    #[test]
    fn a_package_is_there_with_its_environment() {
        let bench = Bench::new();
        let part = global(&bench, &["jq=1.7", "yq"], &[]);
        bench.file(".pixi/envs/jq/conda-meta/history", "", 0o644);
        assert!(!present(&part, &Installed::default()));
        bench.file(".pixi/envs/yq/conda-meta/history", "", 0o644);
        assert!(present(&part, &Installed::default()));
    }

    #[test]
    fn without_pixi_or_with_an_option_it_is_no_use_trying_again() {
        let mut bench = Bench::new();
        assert_eq!(bench.install(&global(&bench, &["jq"], &[])).unwrap_err().retry, Retry::Never);
        bench.tool("pixi", "");
        assert_eq!(bench.install(&global(&bench, &["jq"], &["--force"])).unwrap_err().retry, Retry::Never);
        assert_eq!(bench.commands(), [] as [Vec<String>; 0]);
    }
}
