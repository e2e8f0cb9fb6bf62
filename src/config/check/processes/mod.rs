//! What runs: the sections `hooks`, `services`, `app` and `shutdown`.

mod log;
mod ready;
mod settings;
mod times;

use std::time::Duration;

use super::super::model::{App, Backoff, Hooks, Process, Stop};
use super::super::problem::{nearest, quoted_list};
use super::super::signal::signal_number;
use super::{Check, Place, circles};
use crate::engine::spec;

/// How long `docker stop` waits before it kills, unless it is told otherwise.
const DOCKER_STOP: Duration = Duration::from_secs(10);
/// Names that devinit gives to processes itself.
const RESERVED: [&str; 7] = ["app", "fetch-keys", "first-run", "greeting", "main", "page", "sshd"];

/// Whether this can name a service: a log file, and a word of a command line.
pub(super) fn is_service_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=64).contains(&name.len()) && !name.starts_with(['-', '.']) && name.bytes().all(fits)
}

impl Check<'_> {
    pub(super) fn hooks(&mut self, hooks: &Hooks) {
        let place = Place::of(&["hooks"]);
        for (index, command) in hooks.on_boot.iter().enumerate() {
            self.command(command, &self.item(&place.key("on_boot"), index));
        }
        for (index, script) in hooks.on_login.iter().enumerate() {
            self.absolute(script, &self.item(&place.key("on_login"), index));
        }
    }

    pub(super) fn services(&mut self) {
        let services = Place::of(&["services"]);
        for (name, service) in &self.config.services {
            let place = services.key(name);
            let hook = name.strip_prefix("on-boot-").is_some_and(|number| number.parse::<u32>().is_ok());
            if RESERVED.contains(&name.as_str()) || hook {
                self.misnamed(&place, "devinit itself has something of this name")
                    .hint(format!("{} and `on-boot-1`, `on-boot-2` … are taken", quoted_list(&RESERVED)));
            } else if !is_service_name(name) {
                self.misnamed(&place, "not a name for a service: up to 64 letters, digits, `-`, `_` and `.`");
            }
            if service.command.is_none() && self.is_complete(&place) {
                self.error(&place, "`command` is missing");
            }
            self.process(&service.process(), &place, service.manual);
            self.times(service, &place);
        }
        let names: Vec<&str> = self.config.services.keys().map(String::as_str).collect();
        let after = self.config.services.values().map(|service| service.after.as_slice());
        for circle in circles(&names, after) {
            let [first, ..] = circle.as_slice() else { continue };
            let place = services.key(first).key("after");
            self.error(&place, format!("these wait for each other: {}", circle.join(" → ")));
        }
        self.log_files();
    }

    pub(super) fn app(&mut self, app: &App) {
        let place = Place::of(&["app"]);
        let App { command, port, page, .. } = app;
        self.process(&app.process(), &place, false);
        self.port(port.0, &place.key("port"));
        let ssh = &self.config.ssh;
        if ssh.enabled && (command.is_some() || *page) && port.0 == ssh.port {
            self.error(&place.key("port"), "sshd has this port already").hint("change `app.port` or `ssh.port`");
        }
    }

    /// What every process can be told. `manual`: it is started only when someone asks for it.
    fn process(&mut self, process: &Process<'_>, place: &Place, manual: bool) {
        if let Some(command) = process.command {
            self.command(command, &place.key("command"));
        }
        self.account(process.user.as_ref(), &place.key("user"));
        self.groups(process.groups.as_deref().unwrap_or_default(), &place.key("groups"));
        self.absolute_if_any(process.directory.as_ref(), &place.key("directory"));
        self.environment(process.environment, &place.key("environment"));
        for (index, path) in process.environment_files.iter().enumerate() {
            self.absolute(path, &self.item(&place.key("environment_files"), index));
        }
        self.after(process.after, manual, &place.key("after"));
        self.backoff(process.backoff, &place.key("backoff"));
        self.ready(process.ready.as_ref(), &place.key("ready"));
        if process.watchdog.is_some_and(|watchdog| watchdog.is_zero()) {
            self.error(&place.key("watchdog"), "nothing can say that often that it is alive")
                .hint("leave it out for no watchdog");
        }
        self.stop(process.stop, &place.key("stop"));
        if let Some(finish) = process.finish {
            self.command(finish, &place.key("finish"));
        }
        self.log(process.log, &place.key("log"));
        self.settings(process, place);
    }

    fn after(&mut self, after: &[String], manual: bool, place: &Place) {
        let config = self.config;
        for (index, name) in after.iter().enumerate() {
            if let Some(service) = config.services.get(name) {
                // Who starts a service by hand starts with it what it waits for.
                if !manual {
                    self.waits_for(name, service, &self.item(place, index));
                }
                continue;
            }
            if !self.whole {
                continue;
            }
            let known: Vec<&str> = config.services.keys().map(String::as_str).collect();
            let hint = match nearest(name, &known) {
                _ if name == "sshd" => "sshd is always started first".to_owned(),
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "there are no services".to_owned(),
                None => format!("services: {}", quoted_list(&known)),
            };
            self.error(&self.item(place, index), "no such service").hint(hint);
        }
    }

    fn backoff(&mut self, backoff: &Backoff, place: &Place) {
        let usual = spec::Backoff::default();
        if backoff.first.is_some_and(|first| first.is_zero()) {
            self.error(&place.key("first"), "without a pause it would be started again and again at full speed");
        }
        if backoff.stable.is_some_and(|stable| stable.is_zero()) {
            self.error(&place.key("stable"), "nothing has recovered in no time");
        }
        if backoff.first.unwrap_or(usual.first) > backoff.longest.unwrap_or(usual.longest) {
            let (key, message) = match (backoff.first, backoff.longest) {
                (Some(_), None) => ("first", "longer than the longest pause, which is 30s without `longest`"),
                (None, _) => ("longest", "shorter than the first pause, which is 250ms without `first`"),
                (Some(_), Some(_)) => ("longest", "shorter than the first pause"),
            };
            self.error(&place.key(key), message);
        }
    }

    fn stop(&mut self, stop: &Stop, place: &Place) {
        if stop.signal.as_ref().is_some_and(|signal| signal_number(signal).is_none()) {
            self.error(&place.key("signal"), "no such signal")
                .hint("write it as in `SIGTERM`, `SIGINT` or `SIGRTMIN+3`");
        }
        if stop.timeout.is_some_and(|timeout| timeout > self.config.shutdown.timeout) {
            self.warning(&place.key("timeout"), "longer than `shutdown.timeout`, which ends everything");
        }
    }

    pub(super) fn shutdown(&mut self) {
        if self.config.shutdown.timeout > DOCKER_STOP {
            let message = "`docker stop` kills after 10s, unless it is told otherwise by `-t`";
            self.warning(&Place::of(&["shutdown", "timeout"]), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bad, found, good};

    #[test]
    fn the_app_cannot_have_the_port_of_sshd() {
        bad("app: {command: x, port: 22}", "1:25 `app.port`: sshd has this port");
        bad("ssh: {port: 27015}\napp: {page: true}", "2:1 `app.port`: sshd has this port");
        good("ssh: {enabled: false}\napp: {command: x, port: 22}");
        good("app: {port: 22}");
    }

    #[test]
    fn stop_signals_exist_and_stopping_fits_into_the_shutdown() {
        good("app: {stop: {signal: SIGRTMIN+3, timeout: 9s}}");
        bad("app: {stop: {signal: SIGTREM}}", "1:22 `app.stop.signal`: no such signal");
        bad("app: {stop: {signal: 0}}", "1:22 `app.stop.signal`: no such signal");
        bad("app: {stop: {timeout: 10s}}", "?1:23 `app.stop.timeout`: longer than `shutdown.timeout`");
        bad("shutdown: {timeout: 11s}", "?1:21 `shutdown.timeout`: `docker stop` kills");
        good("shutdown: {timeout: 10s}");
    }

    #[test]
    fn after_names_services() {
        good("services: {a: {command: x}}\napp: {after: [a]}");
        bad("services: {xvfb: {command: x}}\napp: {after: [xvbf]}", "2:15 `app.after[0]`: no such service");
        bad("app: {after: [sshd]}", "1:15 `app.after[0]`: no such service");
    }

    #[test]
    fn services_that_wait_for_each_other_are_named() {
        let services = |after: &[(&str, &str)]| {
            let lines: Vec<_> =
                after.iter().map(|(name, after)| format!("  {name}: {{command: x, after: [{after}]}}\n")).collect();
            format!("services:\n{}", lines.concat())
        };
        bad(&services(&[("a", "a")]), "2:19 `services.a.after`: these wait for each other: a → a");
        bad(
            &services(&[("a", "b"), ("b", "c, d"), ("c", ""), ("d", "b")]),
            "3:19 `services.b.after`: these wait for each other: b → d → b",
        );
        let two = found(&services(&[("a", "b"), ("b", "a"), ("x", "a"), ("y", "z"), ("z", "y")]));
        assert_eq!(two.len(), 2, "{two:?}");
        good(&services(&[("a", "b, c, d"), ("b", "c, d"), ("c", "d"), ("d", "")]));
    }

    #[test]
    fn services_have_names_of_their_own_that_can_name_a_file() {
        for name in ["sshd", "app", "main", "page", "on-boot-2"] {
            bad(&format!("services: {{{name}: {{command: x}}}}"), &format!("1:12 `services.{name}`: devinit itself"));
        }
        for name in ["../x", "a b", ".a", "-a", "''", "a/b"] {
            bad(&format!("services: {{{name}: {{command: x}}}}"), "1:12 `services.");
        }
    }
    #[test]
    fn a_service_without_a_command_is_told_whatever_else_is_wrong() {
        let missing = "1:12 `services.x`: `command` is missing";
        bad("services: {x: {user: a}}", missing);
        bad("services: {x: }", missing);
        bad("services: {x: {finish: y}}", missing);
        let both = found("services: {x: {user: a}, y: {comand: z}}");
        assert_eq!(both.len(), 2, "{both:?}");
        assert!(both[1].contains("unknown key `comand`"), "{both:?}");
        bad("services: {x: {command: {}}}", "1:16 `services.x.command`: expected a list");
    }

    #[test]
    fn what_is_run_or_read_beside_the_process_is_looked_at_too() {
        bad("app: {finish: ''}", "1:15 `app.finish`: an empty command");
        bad("app: {environment_files: [/a, b]}", "1:31 `app.environment_files[1]`: expected an absolute path");
        bad("app: {watchdog: 0s}", "1:17 `app.watchdog`: nothing can say that often");
        good("app: {finish: [x], environment_files: [/a], watchdog: 30s, user: peid, ready: {notify: true}}");
    }

    #[test]
    fn pauses_grow() {
        good("app: {backoff: {first: 1s, longest: 1s, stable: 1m, give_up_after: 0}}");
        bad("app: {backoff: {first: 0s}}", "1:24 `app.backoff.first`: without a pause");
        bad("app: {backoff: {stable: 0s}}", "1:25 `app.backoff.stable`: nothing has recovered");
        bad("app: {backoff: {first: 2s, longest: 1s}}", "1:37 `app.backoff.longest`: shorter than the first pause");
        bad(
            "app: {backoff: {longest: 1ms}}",
            "1:26 `app.backoff.longest`: shorter than the first pause, which is 250ms",
        );
        bad("app: {backoff: {first: 1m}}", "1:24 `app.backoff.first`: longer than the longest pause, which is 30s");
    }
}
