//! `devinit entrypoints`.

use serde::Serialize;

use super::{pretty, print, print_problems};
use crate::config::model::{Arguments, Command, Entrypoint, Then};
use crate::config::{self, Config, Sources};
use crate::plan::{DEFAULT, has_app};
use crate::prepare::environment::Environment;
use crate::secret::without_values;
use crate::status::table::{Cell, Look, Tone, table};
use crate::words::clean;
use crate::{boot, cli, paths, status};

/// The longest text of a cell, in characters; and the longest command, which is not the last one. `--json` has all of it.
const LONGEST: usize = 400;
const COMMAND: usize = 60;
/// What to do where there are none.
const HOW_TO_ADD: &str = "\
There are no entrypoints in the config. Add some, such as

  entrypoints:
    build: {description: Builds the project, command: [./build.sh], directory: /workspace, then: shell}

and choose one by `docker run -e DEVINIT_ENTRYPOINT=build …`.
";

/// An entrypoint, as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    description: Option<String>,
    command: Command,
    arguments: Arguments,
    user: Option<String>,
    directory: Option<std::path::PathBuf>,
    then: Then,
    job: Option<String>,
    /// Whether it is taken where nothing else is asked for.
    default: bool,
    /// Whether this container was started with it.
    started: bool,
}

/// Prints the entrypoints of the config. Returns the exit code.
#[must_use]
pub fn entrypoints(options: &cli::Entrypoints) -> i32 {
    let environment = boot::environment();
    let sources = Sources::from_environment(options.config.config.as_deref(), &environment);
    let config = match config::load(&sources, &environment) {
        Ok(loaded) => loaded.config,
        Err(broken) => {
            print_problems(&broken.problems);
            return 1;
        }
    };
    let started = status::record(&paths::runtime()).and_then(|record| record.entrypoint);
    let shown = shown(config, started.as_deref(), &environment);
    print(&match options.json {
        true => pretty(&shown),
        false if shown.is_empty() => HOW_TO_ADD.to_owned(),
        false => text(&shown, Look::of_stdout()),
    })
}

fn shown(config: Config, started: Option<&str>, environment: &Environment) -> Vec<Shown> {
    let default = !has_app(&config);
    let clear = |text: String| without_values(&text, environment);
    let shown = |(name, entrypoint): (String, Entrypoint)| Shown {
        default: default && name == DEFAULT,
        started: started == Some(name.as_str()),
        name,
        description: entrypoint.description,
        command: match entrypoint.command {
            Some(Command::Shell(text)) => Command::Shell(clear(text)),
            Some(Command::Argv(words)) => Command::Argv(words.into_iter().map(clear).collect()),
            None => Command::Argv(Vec::new()),
        },
        arguments: entrypoint.arguments,
        user: entrypoint.user,
        directory: entrypoint.directory,
        then: entrypoint.then,
        job: entrypoint.job,
    };
    config.entrypoints.into_iter().map(shown).collect()
}

fn text(shown: &[Shown], look: Look) -> String {
    let row = |entrypoint: &Shown| -> Vec<Cell> {
        let (mark, tone) = match (entrypoint.started, entrypoint.default) {
            (true, _) => ("this container's", Tone::Good),
            (false, true) => ("without a choice", Tone::Dim),
            (false, false) => ("", Tone::Plain),
        };
        let command = match &entrypoint.command {
            Command::Shell(text) => text.clone(),
            Command::Argv(words) => words.join(" "),
        };
        vec![
            Cell::of(clean(&entrypoint.name, LONGEST), Tone::Strong),
            Cell::of(mark, tone),
            clean(&command, COMMAND).into(),
            clean(entrypoint.description.as_deref().unwrap_or_default(), LONGEST).into(),
        ]
    };
    let rows: Vec<Vec<Cell>> = shown.iter().map(row).collect();
    let table = table(&["NAME", "TAKEN", "COMMAND", "DESCRIPTION"], &rows, &[2, 1], look);
    table.trim_start_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(config: &str, started: Option<&str>) -> Vec<Shown> {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("config.yaml");
        std::fs::write(&file, format!("version: 1\n{config}")).unwrap();
        let environment = Environment::from([("BUILD_TOKEN".to_owned(), "s3cret".to_owned())]);
        shown(config::load(&Sources::only(&file), &environment).unwrap().config, started, &environment)
    }

    const TWO: &str = "entrypoints:\n  default: {command: [bash, -l], description: \"A shell\\e[2J\"}\n  \
                       build: {command: 'make T=${BUILD_TOKEN}', then: shell, job: b}\n";

    #[test]
    fn the_table_tells_which_is_taken_and_no_secret() {
        insta::assert_snapshot!(text(&of(TWO, Some("build")), Look::default()), @r"
        NAME     TAKEN             COMMAND                DESCRIPTION
        build    this container's  make T=${BUILD_TOKEN}
        default  without a choice  bash -l                A shell?[2J
        ");
    }

    #[test]
    fn on_a_narrow_terminal_the_description_stays() {
        let spack = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/spack.yaml")).unwrap();
        let spack = of(&format!("entrypoints:{}", spack.split_once("\nentrypoints:").unwrap().1), None);
        let narrow = text(&spack, Look { columns: Some(80), color: false });
        assert!(narrow.contains("A login shell, or the command") && !narrow.contains("bash -l"), "{narrow}");
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
        assert!(text(&spack, Look::default()).lines().all(|line| line.chars().count() < 240));
    }

    #[test]
    fn with_an_app_nothing_is_taken_without_a_choice() {
        assert!(of(TWO, None).iter().any(|shown| shown.default));
        assert!(!of(&format!("{TWO}app: {{command: x}}\n"), None).iter().any(|shown| shown.default));
        assert!(of(&format!("{TWO}app: {{page: false}}\n"), None).iter().any(|shown| shown.default));
    }

    #[test]
    fn json_has_all_of_it() {
        let json = serde_json::to_value(of(TWO, Some("build"))).unwrap();
        let expected = serde_json::json!({
            "name": "build", "description": null, "command": "make T=${BUILD_TOKEN}", "arguments": "append", "user": null,
            "directory": null, "then": "shell", "job": "b", "default": false, "started": true,
        });
        assert_eq!(json[0], expected);
    }
}
