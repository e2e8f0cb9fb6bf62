//! `bun add --global`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::command::{refuse_options, require, shown};
use super::super::npm;
use super::{part, some};
use crate::config::first_run::Bun as Config;
use crate::fetch::Failure;
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};

struct Bun {
    packages: Vec<String>,
    /// `BUN_INSTALL`: `bin` and `install/global` are in here.
    folder: PathBuf,
}

/// `global` of a step `bun`.
#[must_use]
pub fn bun(step: &Config, place: &Place) -> Option<Part> {
    let folder = place.own("bun");
    // What these packages bring along begins with `#!/usr/bin/env node`.
    some(&step.global, || Part {
        after: &["node"],
        ..part("global", Some(folder.join("bin")), Bun { packages: step.global.clone(), folder })
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
        let command = ["bun", "add", "--global", "--"].into_iter().chain(self.packages.iter().map(String::as_str));
        // bun's own images set the last two, to folders of root's.
        let mut run = Run::new(command)
            .env("BUN_INSTALL", self.folder.to_string_lossy())
            .env("BUN_INSTALL_BIN", self.folder.join("bin").to_string_lossy())
            .env("BUN_INSTALL_GLOBAL_DIR", self.folder.join("install/global").to_string_lossy());
        if let Some(mirror) = &job.sources.mirrors.npm {
            run = run.env("BUN_CONFIG_REGISTRY", mirror);
        }
        job.run(&run).map_err(|failure| failure.context("bun add --global"))?;
        Ok(Installed::default())
    }

    fn present(&self, _: &Installed) -> bool {
        npm::all_in(&self.folder.join("install/global/node_modules"), &self.packages)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
