//! Services beside sshd and the app: their order, readiness, ends, logs and settings, and how they are steered.

mod adversity;
mod control;
mod exhaustion;
mod lifecycle;
mod logs;
mod order;
mod readiness;
mod reload;
mod settings;

use crate::support::{BASE, Container, Output, seconds, wait_for};

/// Only services: the quickest container there is.
const QUIET: &str = "version: 1\nssh: {enabled: false}\ngreeting: {enabled: false}\n";

/// A container of these services (the config's section, indented by two).
fn run(services: &str) -> Container {
    Container::image(BASE).config(&config(services)).run()
}

fn config(services: &str) -> String {
    format!("{QUIET}services:\n{services}")
}

/// `devinit ARGUMENTS` inside, as root.
fn devinit<const N: usize>(container: &Container, arguments: [&str; N]) -> Output {
    let all: Vec<&str> = std::iter::once("devinit").chain(arguments).collect();
    let line = all.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    container.exec(["bash", "-c", &line])
}

/// The state of a service, as `status --json` has it.
fn state(container: &Container, service: &str) -> String {
    of(container, service, "state")
}

/// One value of a service, as `status --json` has it.
fn of(container: &Container, service: &str, key: &str) -> String {
    let line = format!(
        "devinit status --json | python3 -c 'import json,sys; \
         print(next((s[\"{key}\"] for s in json.load(sys.stdin)[\"engine\"][\"services\"] if s[\"name\"]==\"{service}\"), None))'"
    );
    container.exec(["bash", "-c", &line]).stdout.trim().to_owned()
}

#[track_caller]
fn wait_for_state(container: &Container, service: &str, wanted: &str) {
    wait_for(&format!("{service} to be {wanted}"), seconds(30), || (state(container, service) == wanted).then_some(()));
}
