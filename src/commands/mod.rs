//! The commands that look into a running container and steer it: each takes its arguments and returns its exit code.

mod control;
mod entrypoints;
mod names;
mod reload;
mod show;

use std::io::Write;

pub use control::{Verb, control};
pub use entrypoints::entrypoints;
pub use names::names;
pub use reload::reload;
pub use show::{analyze, check, health, print_plan, status};

use crate::config::Problem;
use crate::engine::snapshot::Snapshot;
use crate::words::{clean, harmless_json, nearest};
use crate::{paths, sorted, status as status_of};

/// The longest name that is repeated to whoever wrote it, in characters.
const NAME: usize = 80;

/// Prints to a reader that may have gone, as in `devinit status | head -1`. Returns the exit code: 1 if what was to be
/// written is lost.
pub fn print(text: &str) -> i32 {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            complain(&format!("the output could not be written: {error}"));
            1
        }
        _ => 0,
    }
}

/// Says on standard error what is wrong.
pub fn complain(what: &str) {
    // Unlike `eprintln!` this does not panic where standard error is gone, too.
    let _ = writeln!(std::io::stderr(), "devinit: {what}");
}

/// Says on standard error what is wrong with a config.
fn print_problems(problems: &[Problem]) {
    let text: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn pretty(value: &impl serde::Serialize) -> String {
    harmless_json(&format!("{:#}\n", serde_json::json!(value)))
}

/// How things stand; or the exit code 2, after saying that nobody answers.
fn snapshot() -> Result<Snapshot, i32> {
    let runtime = paths::runtime();
    status_of::snapshot(&runtime).ok_or_else(|| {
        complain(&format!("no devinit answers in {}: does it run in this container?", runtime.display()));
        2
    })
}

/// What to say of names that no service has; nothing, if all are known.
fn unknown(snapshot: &Snapshot, names: &[String]) -> Option<String> {
    let known = || snapshot.services.iter().map(|service| service.name.as_str());
    let strange: Vec<&String> = names.iter().filter(|name| !known().any(|known| known == name.as_str())).collect();
    let first = strange.first()?;
    let quoted: Vec<String> = strange.iter().map(|name| format!("`{}`", clean(name, NAME))).collect();
    let hint = nearest(first, known()).map(|name| format!("\n  hint: did you mean `{}`?", clean(name, NAME)));
    let mut all: Vec<String> = known().map(|name| clean(name, NAME)).collect();
    sorted::sort(&mut all);
    let (no, hint) = (quoted.join(", "), hint.unwrap_or_default());
    Some(format!("no service is named {no}{hint}\n  there are: {}", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::snapshot::{ServiceState, ServiceStatus};
    use crate::engine::spec::Kind;

    #[test]
    fn a_name_that_nobody_has_comes_with_the_nearest_and_all_there_are() {
        let service = |name| ServiceStatus::new(name, Kind::Daemon, ServiceState::Ready);
        let snapshot = Snapshot::running(0, vec![service("xvfb"), service("ollama")]);
        let unknown =
            |names: &[&str]| unknown(&snapshot, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(unknown(&["xvfb", "ollama"]), None);
        assert_eq!(
            unknown(&["xvfb", "olama"]).unwrap(),
            "no service is named `olama`\n  hint: did you mean `ollama`?\n  there are: ollama, xvfb"
        );
        assert_eq!(unknown(&["\u{1b}[2J"]).unwrap(), "no service is named `?[2J`\n  there are: ollama, xvfb");
    }
}
