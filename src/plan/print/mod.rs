//! A plan for people and for programs. Neither shows a password, a key, or the value of a variable other than PATH.

mod service;

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::Plan;
use crate::note::{LONGEST_NOTE, Level};
use crate::words::clean;
use crate::{config::duration, fetch, paths};

/// The longest PATH that is shown, in characters.
const LONGEST_PATH: usize = 4096;

/// The plan as JSON.
#[must_use]
pub fn json(plan: &Plan) -> Value {
    json!({
        "rescue": plan.record.rescue,
        "config": plan.record.config,
        "accounts": plan.changes,
        "users": plan.record.users,
        "files": files(plan).iter().map(|(path, what)| json!({"path": path, "what": what})).collect::<Vec<_>>(),
        "path": plan.paths,
        "first_run": plan.first_run.as_ref().map(|first_run| json!({"user": first_run.user, "steps": first_run.steps})),
        "services": plan.spec.services.iter().map(service::json).collect::<Vec<_>>(),
        "shutdown": duration::format(plan.spec.shutdown),
        "notes": plan.record.notes,
    })
}

/// The files that the boot writes, and what each is for.
fn files(plan: &Plan) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut add = |path: &Path, what: String| files.push((path.display().to_string(), what));
    if let Some(folder) = &plan.keys_folder {
        for user in &plan.users {
            add(&folder.join(&user.account.name), format!("{} authorized keys", user.keys.len()));
        }
    }
    if let Some(ssh) = &plan.ssh {
        add(&ssh.host_keys.join("ssh_host_ed25519_key"), "host key, made if there is none".to_owned());
        let count = ssh.wanted.environment.len();
        add(&ssh.config, format!("sshd's config, with {count} variables for sessions"));
    }
    if plan.users.iter().any(|user| user.sudo) {
        add(Path::new(paths::SUDOERS), "sudo without a password".to_owned());
    }
    if let (Some(first_run), Some(runtime)) = (&plan.first_run, &plan.runtime) {
        for account in &first_run.accounts {
            let folder = runtime.join(paths::FIRST_RUNS).join(&account.name);
            add(&folder, "folder for how a first run stands".to_owned());
        }
    }
    if plan.profile.is_some() {
        add(Path::new(paths::PROFILE), "PATH and greeting for login shells".to_owned());
    }
    files
}

/// The plan as text.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(out, "{title}");
            for line in lines {
                let _ = writeln!(out, "  {line}");
            }
        }
    };
    section("config", plan.record.config.iter().map(|path| path.display().to_string()).collect());
    section("accounts", plan.changes.clone());
    let keys = plan.users.iter().flat_map(|user| {
        let name = &user.account.name;
        let known = user.keys.iter().map(move |key| format!("{name}: {}", key.summary()));
        let remote = user.remote.iter().map(|url| fetch::redacted(url));
        known.chain(remote.map(move |url| format!("{name}: the keys of {url}, once sshd is up")))
    });
    section("keys", keys.collect());
    section("files", files(plan).into_iter().map(|(path, what)| format!("{path}: {what}")).collect());
    section("PATH", plan.paths.iter().map(|(user, path)| format!("{user}: {}", clean(path, LONGEST_PATH))).collect());
    if let Some(first_run) = &plan.first_run {
        section(&format!("first run for {}", first_run.user), first_run.steps.clone());
    }
    section("processes", plan.spec.services.iter().map(service::line).collect());
    let notes = plan.record.notes.iter().map(|note| {
        let text = clean(&note.text, LONGEST_NOTE);
        match note.level {
            Level::Info => text,
            Level::Warning => format!("warning: {text}"),
            Level::Error => format!("error: {text}"),
        }
    });
    section("notes", notes.collect());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::plan::{Facts, resolve};
    use crate::prepare::accounts::Database;

    #[test]
    fn no_form_of_the_plan_shows_what_a_secret_variable_put_into_a_command_or_a_probe() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("config.yaml");
        let text = "{version: 1, users: {root: {authorized_keys: [{url: 'https://me:s3cret-1@example.org/keys?sig=s3cret-1'}]}},\n\
            app: {command: [jupyter, '--token=${JUPYTER_TOKEN}'], ready: {http: 'http://127.0.0.1:1/?t=${JUPYTER_TOKEN}'}},\n\
            services: {x: {command: 'curl ${HTTP_PROXY}', ready: {command: 'x ${DB_PASSWORD}'}}}}";
        std::fs::write(&file, text).unwrap();
        let variable = |name: &str| (name.to_owned(), format!("s3cret-{}", name.len()));
        let environment: std::collections::BTreeMap<_, _> =
            ["JUPYTER_TOKEN", "HTTP_PROXY", "DB_PASSWORD"].map(variable).into();
        let loaded = config::load(&config::Sources::only(&file), &environment).unwrap();
        let passwd = Some(b"root:x:0:0::/root:/bin/sh\n".to_vec());
        let database = Database { passwd, ..Database::default() };
        let plan = resolve(&loaded, &Facts { root: true, environment, database, ..Facts::default() }, None);
        let shown = super::text(&plan) + &json(&plan).to_string();
        assert!(!shown.contains("s3cret"), "{shown}");
        for expected in ["--token=${JUPYTER_TOKEN}", "https://example.org/keys"] {
            assert!(shown.contains(expected), "{shown}");
        }
    }
}
