//! `code-server --install-extension`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::command::{refuse_options, require, shown};
use super::{part, some};
use crate::config::first_run::CodeServer as Config;
use crate::fetch::Failure;
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};

struct Extensions(Vec<String>);

/// `extensions` of a step `code-server`.
#[must_use]
pub fn code_server(step: &Config, _: &Place) -> Option<Part> {
    some(&step.extensions, || part("extensions", None, Extensions(step.extensions.clone())))
}

impl Installer for Extensions {
    fn key(&self) -> Value {
        json!({"code-server.extensions": self.0})
    }

    fn summary(&self) -> String {
        let options = self.0.iter().flat_map(|extension| ["--install-extension", extension]);
        shown(["code-server"].into_iter().chain(options))
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        refuse_options(&self.0)?;
        require(job, "code-server", "the step `code-server` itself brings it: run that first")?;
        for extension in &self.0 {
            job.stage(format!("installing {extension}"));
            job.run(&Run::new(["code-server", "--install-extension", extension])).map_err(|failure| {
                job.not_in_bundle(failure.context(format!("code-server --install-extension {extension}")))
            })?;
        }
        Ok(Installed { version: None, files: vec![folder(job)] })
    }

    /// The record holds the folder, not the extensions: these get another name with each update.
    fn present(&self, installed: &Installed) -> bool {
        installed.files.iter().all(|folder| self.0.iter().all(|extension| is_in(folder, extension)))
    }
}

/// Where code-server keeps extensions, by the XDG folders.
fn folder(job: &Job<'_>) -> PathBuf {
    let data = job.environment.get("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    data.unwrap_or_else(|| job.owner.account.home.join(".local/share")).join("code-server/extensions")
}

/// Whether there is a folder `ID-VERSION`. Of a file, the ID is not known.
fn is_in(folder: &Path, extension: &str) -> bool {
    if Path::new(extension).extension() == Some(OsStr::new("vsix")) {
        return folder.is_dir();
    }
    let id = extension.split('@').next().unwrap_or_default().to_lowercase();
    let is_it = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().to_lowercase();
        name.strip_prefix(&id)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    };
    fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(is_it))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Bench, present, words};
    use super::*;

    #[test]
    fn extensions_are_installed_one_by_one_and_looked_for_by_their_folders() {
        let mut bench = Bench::new();
        bench.tool("code-server", "");
        let config =
            Config { extensions: words(&["ms-python.python", "Redhat.vscode-yaml@1.14.0"]), ..Config::default() };
        let part = code_server(&config, &bench.place).unwrap();
        let installed = bench.install(&part).unwrap();
        let commands = bench.commands();
        assert_eq!(commands[0], ["code-server", "--install-extension", "ms-python.python"]);
        assert_eq!(commands[1], ["code-server", "--install-extension", "Redhat.vscode-yaml@1.14.0"]);
        assert!(!present(&part, &installed));
        let folder = ".local/share/code-server/extensions";
        bench.file(&format!("{folder}/ms-python.python-envs-1.2.0/package.json"), "", 0o644);
        bench.file(&format!("{folder}/redhat.vscode-yaml-1.14.0-universal/package.json"), "", 0o644);
        assert!(!present(&part, &installed), "another extension was taken for it");
        bench.file(&format!("{folder}/ms-python.python-2026.1.0/package.json"), "", 0o644);
        assert!(present(&part, &installed));
        let summary = "code-server --install-extension ms-python.python --install-extension Redhat.vscode-yaml@1.14.0";
        assert_eq!(part.installer.summary(), summary);
    }
}
