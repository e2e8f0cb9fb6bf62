//! What runs: the sections `hooks`, `services`, `app` and `shutdown`.

use std::time::Duration;

use super::super::model::{App, Hooks, Process, Ready, Stop};
use super::super::problem::{nearest, quoted_list};
use super::super::signal::signal_number;
use super::{Check, Place, circles, host_of};

/// How long `docker stop` waits before it kills, unless it is told otherwise.
const DOCKER_STOP: Duration = Duration::from_secs(10);
/// Names that devinit gives to processes itself.
const RESERVED: [&str; 7] = ["app", "fetch-keys", "first-run", "greeting", "main", "page", "sshd"];

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
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if RESERVED.contains(&name.as_str()) {
                self.misnamed(&place, "devinit itself has something of this name")
                    .hint(format!("{} are taken", quoted_list(&RESERVED)));
            } else if name.is_empty() || name.len() > 64 || name.starts_with(['-', '.']) || !name.bytes().all(fits) {
                self.misnamed(&place, "not a name for a service: up to 64 letters, digits, `-`, `_` and `.`");
            }
            self.process(&service.process(), &place);
            if service.command.is_none() && self.whole {
                self.error(&place, "`command` is missing");
            }
        }
        let names: Vec<&str> = self.config.services.keys().map(String::as_str).collect();
        let after = self.config.services.values().map(|service| service.after.as_slice());
        for circle in circles(&names, after) {
            let [first, ..] = circle.as_slice() else { continue };
            let place = services.key(first).key("after");
            self.error(&place, format!("these wait for each other: {}", circle.join(" → ")));
        }
    }

    pub(super) fn app(&mut self, app: &App) {
        let place = Place::of(&["app"]);
        let App { command, port, page, .. } = app;
        self.process(&app.process(), &place);
        self.port(port.0, &place.key("port"));
        let ssh = &self.config.ssh;
        if ssh.enabled && (command.is_some() || *page) && port.0 == ssh.port {
            self.error(&place.key("port"), "sshd has this port already").hint("change `app.port` or `ssh.port`");
        }
    }

    /// What every process can be told.
    fn process(&mut self, process: &Process<'_>, place: &Place) {
        if let Some(command) = process.command {
            self.command(command, &place.key("command"));
        }
        self.account(process.user.as_ref(), &place.key("user"));
        self.absolute_if_any(process.directory.as_ref(), &place.key("directory"));
        self.environment(process.environment, &place.key("environment"));
        self.after(process.after, &place.key("after"));
        self.ready(process.ready.as_ref(), &place.key("ready"));
        self.stop(process.stop, &place.key("stop"));
    }

    fn after(&mut self, after: &[String], place: &Place) {
        let config = self.config;
        for (index, name) in after.iter().enumerate() {
            if config.services.contains_key(name) || !self.whole {
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

    fn ready(&mut self, ready: Option<&Ready>, place: &Place) {
        let Some(Ready { http, tcp, path, command, timeout, .. }) = ready else { return };
        let given = [http.is_some(), tcp.is_some(), path.is_some(), command.is_some()];
        match given.iter().filter(|given| **given).count() {
            1 => {}
            0 if !self.whole => {}
            _ => _ = self.error(place, "expected exactly one of `http`, `tcp`, `path` and `command`"),
        }
        if http.as_ref().is_some_and(|url| host_of(url, "http://").is_none()) {
            self.error(&place.key("http"), "expected a URL that begins with `http://`")
                .hint("it is asked for inside the container, as in `http://127.0.0.1:27015/`");
        }
        if let Some(port) = tcp {
            self.port(*port, &place.key("tcp"));
        }
        self.absolute_if_any(path.as_ref(), &place.key("path"));
        if let Some(command) = command {
            self.command(command, &place.key("command"));
        }
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.error(&place.key("timeout"), "nothing is ready in no time");
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
    fn ready_is_exactly_one_probe() {
        let one = "expected exactly one of `http`, `tcp`, `path` and `command`";
        bad("app: {ready: {}}", &format!("1:7 `app.ready`: {one}"));
        bad("app: {ready: {timeout: 1m}}", &format!("1:7 `app.ready`: {one}"));
        bad("services: {a: {command: x, ready: {tcp: 1, path: /x}}}", &format!("1:28 `services.a.ready`: {one}"));
        bad("app: {ready: {tcp: 1, timeout: 0s}}", "1:32 `app.ready.timeout`: nothing is ready in no time");
        good("app: {ready: {http: \"http://127.0.0.1:27015/api\", timeout: 30m}}");
        for url in
            ["https://127.0.0.1/", "127.0.0.1:27015", "http://", "http:///x", "http://a b/", "\"http://a/\\r\\nX: y\""]
        {
            bad(&format!("app:\n  ready:\n    http: {url}"), "3:11 `app.ready.http`: expected a URL");
        }
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
        for name in ["sshd", "app", "main", "page"] {
            bad(&format!("services: {{{name}: {{command: x}}}}"), &format!("1:12 `services.{name}`: devinit itself"));
        }
        for name in ["../x", "a b", ".a", "-a", "''", "a/b"] {
            bad(&format!("services: {{{name}: {{command: x}}}}"), "1:12 `services.");
        }
    }
}
