//! `devinit reload`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use nix::unistd::geteuid;

use super::show::BETWEEN_LOOKS;
use super::{complain, pretty, print, print_problems, snapshot};
use crate::cli::{self, Cli, Command};
use crate::config::{self, Sources};
use crate::engine::control::{self, Answer, Query};
use crate::engine::snapshot::{Change, ChangeKind, Reload, ReloadState};
use crate::status::table::{Look, Tone};
use crate::words::{clean, columns};
use crate::{boot, paths};

/// How long devinit may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long a reload may take: as long as preparing the container may.
const LIMIT: Duration = Duration::from_secs(120);
/// The longest text, in characters.
const LONG: usize = 400;

/// Checks the config and has devinit read it again. Returns the exit code: 0, 1 if it was not done, 2 if no devinit answers.
#[must_use]
pub fn reload(options: &cli::Reload) -> i32 {
    let runtime = paths::runtime();
    let before = match snapshot() {
        Ok(before) => before,
        Err(code) => return code,
    };
    let first = First::new(Path::new("/proc"), before.pid);
    if !geteuid().is_root() && first.owner != Some(geteuid().as_raw()) {
        complain("only root may do this: try sudo");
        return 1;
    }
    // What cannot be used is not even tried: here whoever changed it sees what is wrong and where.
    let environment = first.environment.unwrap_or_else(boot::environment);
    let sources = Sources::from_environment(first.config.as_deref(), &environment);
    let (problems, broken) = match config::load(&sources, &environment) {
        Ok(loaded) => (loaded.warnings, false),
        Err(broken) => (broken.problems, true),
    };
    print_problems(&problems);
    if broken {
        complain("the config cannot be used; nothing was touched");
        return 1;
    }
    match control::ask(&runtime, &Query::Reload { dry_run: options.dry_run }, ANSWER_LIMIT) {
        Ok(Answer::Accepted) => {}
        Ok(Answer::Refused(why)) => {
            complain(&why);
            return 1;
        }
        Ok(_) => {
            complain("devinit's answer is not understood; nothing is known of the reload");
            return 1;
        }
        Err(error) => {
            complain(&format!("devinit does not answer in {}: {error}", runtime.display()));
            return 2;
        }
    }
    let known = before.reload.map_or(0, |reload| reload.number);
    let done = match wait(known) {
        Ok(done) => done,
        Err(code) => return code,
    };
    let lost = print(&if options.json { pretty(&done) } else { text(&done, Look::of_stdout()) });
    match &done.state {
        ReloadState::Failed(why) => {
            complain(&clean(&format!("the reload failed and no service was touched: {why}"), LONG));
            1
        }
        ReloadState::Running | ReloadState::Done => lost,
    }
}

/// Waits for the end of a reload of a higher number than this.
fn wait(known: u32) -> Result<Reload, i32> {
    let begun = Instant::now();
    loop {
        let reload = snapshot()?.reload.filter(|reload| reload.number > known);
        if let Some(reload) = reload.filter(|reload| reload.state != ReloadState::Running) {
            return Ok(reload);
        }
        if begun.elapsed() >= LIMIT {
            complain(&format!(
                "the reload is not done after {} s; `devinit status --json` tells how it goes on",
                LIMIT.as_secs()
            ));
            return Err(1);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// What changed, as a list.
fn text(reload: &Reload, look: Look) -> String {
    if reload.changes.is_empty() {
        return match reload.state {
            ReloadState::Failed(_) => String::new(),
            _ => "nothing changed\n".to_owned(),
        };
    }
    let name = |change: &Change| clean(&change.service, LONG);
    let width = reload.changes.iter().map(|change| columns(&name(change))).max().unwrap_or(0);
    let line = |change: &Change| {
        let (mark, what, tone) = match change.what {
            ChangeKind::Added => ("+", "added", Tone::Good),
            ChangeKind::Removed => ("-", "removed", Tone::Bad),
            ChangeKind::Changed => ("~", "changed", Tone::Odd),
            ChangeKind::Signalled => ("~", "signalled", Tone::Odd),
        };
        let keys = if change.keys.is_empty() { String::new() } else { format!(": {}", change.keys.join(", ")) };
        let blanks = " ".repeat(width.saturating_sub(columns(&name(change))) + 2);
        let head = look.paint(&format!("{mark} {}", name(change)), tone);
        format!("{head}{blanks}{}\n", look.fit(&clean(&format!("{what}{keys}"), LONG), width + 4))
    };
    // The same for a dry run: whoever asked for one knows, and may compare.
    reload.changes.iter().map(line).collect()
}

/// What devinit was started with, as far as this process may know it. Over SSH a session lacks the variables that the config
/// may name.
#[derive(Debug, Default)]
struct First {
    /// As whom it runs.
    owner: Option<u32>,
    /// Its variables.
    environment: Option<BTreeMap<String, String>>,
    /// The config that its command line names.
    config: Option<PathBuf>,
}

impl First {
    /// The process of this number; `proc` is /proc.
    fn new(proc: &Path, pid: i32) -> Self {
        let folder = proc.join(pid.to_string());
        let strings = |name: &str| -> Option<Vec<String>> {
            let bytes = fs::read(folder.join(name)).ok().filter(|bytes| !bytes.is_empty())?;
            let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
            Some(bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect())
        };
        let pairs = |lines: Vec<String>| {
            let pair = |line: &String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            lines.iter().filter_map(pair).collect()
        };
        let parsed = strings("cmdline").and_then(|words| Cli::try_parse_from(words).ok());
        Self {
            owner: fs::metadata(&folder).ok().map(|found| found.uid()),
            environment: strings("environ").map(pairs),
            config: match parsed.and_then(|cli| cli.command) {
                Some(Command::Boot(boot)) => boot.config.config,
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reload(changes: Vec<Change>, dry_run: bool) -> Reload {
        Reload { number: 1, dry_run, state: ReloadState::Done, changes }
    }

    fn change(service: &str, what: ChangeKind, keys: &[&str]) -> Change {
        Change { service: service.to_owned(), what, keys: keys.iter().map(|key| (*key).to_owned()).collect() }
    }

    #[test]
    fn what_changed_is_listed_aligned() {
        let changes = vec![
            change("db", ChangeKind::Added, &[]),
            change("app", ChangeKind::Changed, &["command", "environment"]),
            change("sshd", ChangeKind::Signalled, &[]),
            change("old-tunnel", ChangeKind::Removed, &[]),
        ];
        insta::assert_snapshot!(text(&reload(changes, true), Look::default()), @r"
        + db          added
        ~ app         changed: command, environment
        ~ sshd        signalled
        - old-tunnel  removed
        ");
        assert_eq!(text(&reload(Vec::new(), true), Look::default()), "nothing changed\n");
    }

    #[test]
    fn what_devinit_was_started_with_is_read_from_its_process() {
        let proc = tempfile::tempdir().unwrap();
        let folder = proc.path().join("7");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("cmdline"), b"/usr/local/bin/devinit\0boot\0--config\0/my.yaml\0--\0bash\0").unwrap();
        fs::write(folder.join("environ"), b"A=1\0B=x=y\0odd\0").unwrap();
        let first = First::new(proc.path(), 7);
        assert_eq!(first.owner, Some(geteuid().as_raw()));
        assert_eq!(first.config.as_deref(), Some(Path::new("/my.yaml")));
        let environment = first.environment.unwrap();
        assert_eq!((environment["A"].as_str(), environment["B"].as_str(), environment.len()), ("1", "x=y", 2));
        fs::write(folder.join("cmdline"), b"devinit\0--\0boot\0--config\0/other\0").unwrap();
        assert_eq!(First::new(proc.path(), 7).config, None);
        let nobody = First::new(proc.path(), 8);
        assert!(nobody.owner.is_none() && nobody.environment.is_none() && nobody.config.is_none());
    }
}
