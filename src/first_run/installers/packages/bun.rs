//! `bun add --global`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::cache::{self, Kind, Packages};
use super::super::command::{refuse_options, require, shown};
use super::super::tool::{self, Wish};
use super::super::{bun, npm};
use super::{part, some};
use crate::config::first_run::Bun as Config;
use crate::fetch::Failure;
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};

/// The folder of a bundle.
const BUNDLED: &str = "bun";

struct Bun {
    packages: Vec<String>,
    /// `BUN_INSTALL`: `bin` and `install/global` are in here.
    folder: PathBuf,
    /// The bun of the step.
    bun: Wish,
}

/// `global` of a step `bun`.
#[must_use]
pub fn bun(step: &Config, place: &Place) -> Option<Part> {
    let folder = place.own("bun");
    let bun = tool::wish::<bun::Bun>(&step.version, &step.sha256);
    // What these packages bring along begins with `#!/usr/bin/env node`.
    some(&step.global, || Part {
        after: &["node"],
        ..part("global", Some(folder.join("bin")), Bun { packages: step.global.clone(), folder, bun })
    })
}

impl Installer for Bun {
    fn key(&self) -> Value {
        json!({"bun.global": self.packages})
    }

    fn summary(&self) -> String {
        shown(["bun", "add", "--global"].into_iter().chain(self.packages.iter().map(String::as_str)))
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        refuse_options(&self.packages)?;
        require(job, "bun", "the step `bun` itself brings it: run that first")?;
        let mirror = job.sources.mirrors.npm.clone();
        cache::install(job, BUNDLED, mirror.as_deref(), |job, packages| {
            let run = self.run("bun".to_owned(), packages, &self.folder);
            job.run(&run).map(drop).map_err(|failure| failure.context("bun add --global"))
        })?;
        Ok(Installed::default())
    }

    fn collects_with_a_tool(&self) -> bool {
        true
    }

    fn collect(&self, job: &mut Job<'_>) -> Result<bool, Failure> {
        refuse_options(&self.packages)?;
        let bun = tool::unpacked::<bun::Bun>(job, &self.bun)?.join("bun").display().to_string();
        let mirror = job.sources.mirrors.npm.clone();
        let kind = Kind { name: BUNDLED, source: mirror.as_deref(), requests: &[] };
        cache::collect(job, &kind, |job, packages, folder| {
            let run = self.run(bun.clone(), packages, folder);
            job.run(&run).map(drop).map_err(|failure| failure.context("bun add --global"))
        })
    }

    fn present(&self, _: &Installed) -> bool {
        npm::all_in(&self.folder.join("install/global/node_modules"), &self.packages)
    }
}

impl Bun {
    fn run(&self, program: String, from: &Packages, folder: &Path) -> Run {
        let mut command = vec![program];
        command.extend(["add", "--global"].map(str::to_owned));
        command.extend(from.offline.then(|| "--offline".to_owned()));
        command.extend(from.trial.then(|| "--ignore-scripts".to_owned()));
        command.push("--".to_owned());
        command.extend_from_slice(&self.packages);
        // bun's own images set the last two, to folders of root's.
        let mut run = from
            .cut_off(Run::new(command))
            .env("BUN_INSTALL", folder.to_string_lossy())
            .env("BUN_INSTALL_BIN", folder.join("bin").to_string_lossy())
            .env("BUN_INSTALL_GLOBAL_DIR", folder.join("install/global").to_string_lossy());
        if let Some(cache) = &from.cache {
            run = run.env("BUN_INSTALL_CACHE_DIR", cache.to_string_lossy());
        }
        match &from.source {
            Some(source) => run.env("BUN_CONFIG_REGISTRY", source),
            None => run,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Bench, present, words};
    use super::*;

    #[test]
    fn packages_go_into_the_folder_of_bun_by_variables_that_beat_those_of_the_image() {
        let mut bench = Bench::new();
        bench.tool("bun", "");
        bench.environment.insert("BUN_INSTALL_BIN".to_owned(), "/usr/local/bin".to_owned());
        bench.sources.mirrors.npm = Some("https://mirror.example/npm".to_owned());
        let config = Config { global: words(&["@tavily/mcp@latest", "cowsay"]), ..Config::default() };
        let part = bun(&config, &bench.place).unwrap();
        bench.install(&part).unwrap();
        let calls = bench.calls();
        assert_eq!(calls[0].command, ["bun", "add", "--global", "--", "@tavily/mcp@latest", "cowsay"]);
        let folders = ["BUN_INSTALL", "BUN_INSTALL_BIN", "BUN_INSTALL_GLOBAL_DIR"].map(|name| calls[0].variable(name));
        let expected = [".bun", ".bun/bin", ".bun/install/global"].map(|path| bench.home(path));
        assert_eq!(folders.map(Path::new), expected.each_ref().map(|path| path.as_path()));
        assert_eq!(calls[0].variable("BUN_CONFIG_REGISTRY"), "https://mirror.example/npm");
        assert_eq!(part.installer.summary(), "bun add --global @tavily/mcp@latest cowsay");
        assert_eq!((part.after, part.path), (&["node"][..], vec![bench.home(".bun/bin")]));
    }

    #[test]
    fn a_package_is_there_with_its_folder() {
        let bench = Bench::new();
        let config = Config { global: words(&["@tavily/mcp@latest"]), ..Config::default() };
        let part = bun(&config, &bench.place).unwrap();
        assert!(!present(&part, &Installed::default()));
        bench.file(".bun/install/global/node_modules/@tavily/mcp/package.json", "{}", 0o644);
        assert!(present(&part, &Installed::default()));
    }
}
