//! The first run, with upstream as [`Mirror`] has it.

mod app;
mod end_to_end;
mod interrupted;
mod limits;
mod offline;
mod proxy;
mod the_mirror;
mod together;
mod trouble;

use std::fmt::Write;
use std::time::Duration;

use devinit::digest::sha256;
use devinit::first_run::Progress;
use devinit::first_run::progress::{State, TaskProgress};
use serde_json::Value;

use crate::support::{Builder, Container, FIRST_RUN, Mirror, Output, seconds, wait_for};

/// Where the boot's first run for peid tells how it stands.
const PROGRESS: &str = "/run/devinit/first-run/peid/progress.json";
/// Where a config is put for a first run by hand.
const BY_HAND: &str = "/tmp/by-hand.yaml";
/// Downloads on their way, records and logs.
const STATE: &str = "/home/peid/.local/state/devinit/first-run";

/// A container with this config.
fn container(config: &str) -> Builder {
    Container::image(FIRST_RUN).config(config)
}

/// A config with root and peid, and these further sections.
fn users(more: &str) -> String {
    format!(
        "
version: 1
users:
  root:
    authorized_keys: [{{env: PUBLIC_KEY}}]
  peid:
    uid: 3100
    gid: 1100
    shell: /bin/bash
    authorized_keys: [{{env: PUBLIC_KEY}}]
{more}
"
    )
}

/// A config with a first run for peid of these steps, one a line, which downloads from the mirror.
fn config(mirror: &Mirror, steps: &[&str]) -> String {
    let url = mirror.url();
    let mirrors = format!(
        "mirrors: {{github: '{url}/github.com', node: '{url}/nodejs.org/dist', claude: '{url}/downloads.claude.ai', \
         npm: '{url}/npm', pypi: '{url}/pypi/simple', conda: '{url}/conda'}}"
    );
    users(&first_run(&mirrors, steps))
}

/// The section for a first run for peid, with these further keys.
fn first_run(keys: &str, steps: &[&str]) -> String {
    let mut text = format!("first_run:\n  user: peid\n  {keys}\n  steps:\n");
    for step in steps {
        writeln!(text, "    - {step}").unwrap();
    }
    text
}

/// How the boot's first run stands, once it has begun to tell.
fn progress(container: &Container) -> Option<Progress> {
    serde_json::from_str(&container.exec(["cat", PROGRESS]).stdout).ok()
}

/// Waits for the end of the boot's first run.
#[track_caller]
fn finished(container: &Container, limit: Duration) -> Progress {
    wait_for("the end of the first run", limit, || progress(container).filter(|progress| progress.ended))
}

/// One task of a run.
#[track_caller]
fn task<'a>(progress: &'a Progress, name: &str) -> &'a TaskProgress {
    let found = progress.tasks.iter().find(|task| task.name == name);
    found.unwrap_or_else(|| panic!("there is no task {name} in {progress:#?}"))
}

/// Waits until a task of the boot's first run has downloaded so many bytes.
#[track_caller]
fn wait_for_bytes(container: &Container, name: &str, bytes: u64) {
    wait_for(&format!("{bytes} bytes of {name}"), seconds(60), || {
        let progress = progress(container)?;
        progress.tasks.iter().find(|task| task.name == name && task.bytes >= bytes).map(drop)
    });
}

/// Asserts that everything is done, whenever that was.
#[track_caller]
fn assert_all_done(progress: &Progress) {
    let open: Vec<_> =
        progress.tasks.iter().filter(|task| !matches!(task.state, State::Done | State::Unchanged)).collect();
    assert!(progress.ended && open.is_empty() && !progress.tasks.is_empty(), "{open:#?}");
}

/// What a first run by hand left.
struct ByHand {
    output: Output,
    events: Vec<Value>,
}

impl ByHand {
    /// Runs `devinit first-run` as root with this config and these arguments.
    fn run(container: &Container, config: &str, arguments: &str) -> Self {
        container.put(BY_HAND, config);
        let line = format!("exec devinit first-run --json --config {BY_HAND} {arguments}");
        let output = container.exec(["sh", "-c", &line]);
        let events = output.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Self { output, events }
    }

    /// Text and hint of the error that a task failed with for good.
    fn error(&self, name: &str) -> Option<String> {
        let failed = self.event("failed", name)?;
        Some(format!("{} | {}", failed["error"].as_str()?, failed["hint"].as_str().unwrap_or_default()))
    }

    /// An event about a task.
    fn event(&self, event: &str, name: &str) -> Option<&Value> {
        self.events.iter().find(|line| line["event"] == event && line["task"] == name)
    }
}

/// Bytes that no compression, and no parser, makes anything of.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// The SHA-256 of a file inside; empty if it is not there.
fn sha256_inside(container: &Container, path: &str) -> String {
    container.exec(["sha256sum", path]).stdout.split(' ').next().unwrap_or_default().to_owned()
}
