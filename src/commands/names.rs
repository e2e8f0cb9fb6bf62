//! What the completions of shells ask for: names, one on each line. Whatever goes wrong, there are none and nothing is said:
//! somebody is just pressing the Tab key.

use std::time::Duration;

use super::print;
use crate::cli::NamesOf;
use crate::engine::control;
use crate::outlook::first_run;
use crate::{boot, config, job, paths};

/// How long devinit may take to answer.
const LIMIT: Duration = Duration::from_millis(500);

/// Prints the names. Returns the exit code.
#[must_use]
pub fn names(of: NamesOf) -> i32 {
    let names = match of {
        NamesOf::Services => services(),
        NamesOf::Steps => steps(),
        NamesOf::Jobs => jobs(),
        NamesOf::Entrypoints => config().entrypoints.into_keys().collect(),
    };
    // A name that a shell would take apart is of no use to it.
    let plain = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@+".contains(&byte));
    print(&names.iter().filter(plain).map(|name| format!("{name}\n")).collect::<String>());
    0
}

fn services() -> Vec<String> {
    let snapshot = control::status(&paths::runtime(), LIMIT);
    snapshot.map(|snapshot| snapshot.services.into_iter().map(|service| service.name).collect()).unwrap_or_default()
}

fn jobs() -> Vec<String> {
    let names = job::place::of(None).ok().and_then(|place| place.folder.jobs().ok());
    names.unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn config() -> config::Config {
    let environment = boot::environment();
    let sources = config::Sources::from_environment(None, &environment);
    config::load(&sources, &environment).map(|loaded| loaded.config).unwrap_or_default()
}

/// The steps of this boot's first runs, with their parts; where there has been none, those of the config.
fn steps() -> Vec<String> {
    let mut names = Vec::new();
    for task in first_run::look(&paths::runtime(), None).iter().flat_map(|run| &run.progress.tasks) {
        // `codex.node` is a part of `codex`, which can be asked for as a whole.
        let whole = task.name.split('.').next().unwrap_or_default();
        for name in [whole, task.name.as_str()] {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    if names.is_empty() {
        let name = |step: &config::first_run::Step| step.common().name.unwrap_or_else(|| step.kind()).to_owned();
        names.extend(config().first_run.steps.iter().map(name));
    }
    names
}
