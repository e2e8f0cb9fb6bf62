//! When a service runs: all the time, once, when it is asked for, or again and again.

use super::super::super::model::{Policy, Restart, Service};
use super::super::super::texts;
use super::super::{Check, Place};
use crate::engine::spec::When;

impl Check<'_> {
    /// What goes together: what runs once has an end and nothing to be ready for, what is started by the clock is not
    /// started by hand and by nothing else.
    pub(super) fn times(&mut self, service: &Service, place: &Place) {
        let oneshot = service.oneshot || service.every.is_some();
        if let Some(Err(why)) = service.every.as_deref().map(texts::every) {
            self.error(&place.key("every"), why);
        }
        if service.manual && service.every.is_some() {
            self.error(&place.key("manual"), "what has `every` is started by the clock")
                .hint("leave one of them out: `devinit start` runs what has `every` at any time");
        }
        if service.every.is_some() && service.policy == Some(Policy::Critical) {
            self.error(&place.key("policy"), "what runs again and again cannot end the container")
                .hint("leave it out: health says when a run has failed");
        }
        if service.restart == Restart::Always && oneshot {
            let (message, hint) = if service.every.is_some() {
                ("`every` starts it again already", "leave it out, or write `on-failure` to try again sooner")
            } else {
                ("a oneshot runs once", "leave `oneshot` out if it runs all the time, or say how often by `every`")
            };
            self.error(&place.key("restart"), message).hint(hint);
        }
        if oneshot && service.ready.is_some() {
            self.error(&place.key("ready"), "a oneshot is ready when it has succeeded")
                .hint("leave it out; what comes `after` a oneshot waits for that");
        }
        if oneshot && service.watchdog.is_some() {
            self.error(&place.key("watchdog"), "a oneshot is never ready while it runs, so nothing watches it")
                .hint("limit how long it may run by `timeout`");
        }
        match service.timeout {
            Some(_) if !oneshot => {
                self.error(&place.key("timeout"), "only what runs once can be limited in time")
                    .hint("add `oneshot: true`, or limit the time until it is ready by `ready.timeout`");
            }
            Some(timeout) if timeout.is_zero() => {
                self.error(&place.key("timeout"), "nothing is done in no time").hint("leave it out for no limit");
            }
            _ => {}
        }
    }

    /// What comes after something that the boot does not start.
    pub(super) fn waits_for(&mut self, name: &str, service: &Service, place: &Place) {
        if service.manual {
            self.warning(place, format!("`{name}` is `manual`, so this waits until someone starts it"))
                .hint(format!("devinit start {name}"));
        } else if matches!(service.every.as_deref().map(texts::every), Some(Ok(When::At(_)))) {
            self.warning(place, format!("`{name}` runs at set times, so this waits for the first of them"))
                .hint(format!("`devinit start {name}` runs it at once"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{bad, found_with_hints, good};

    fn one(keys: &str) -> String {
        format!("services: {{a: {{command: x, {keys}}}}}")
    }

    #[test]
    fn services_run_all_the_time_or_once_or_again_and_again() {
        for keys in [
            "oneshot: true, timeout: 1m",
            "oneshot: true, restart: never, policy: critical",
            "manual: true",
            "manual: true, oneshot: true, timeout: 1m",
            "every: 10m, timeout: 1m, oneshot: true, restart: on-failure",
            "every: \"*/5 * * * *\", policy: degraded",
            "every: \"@hourly\"",
            "restart: always, watchdog: 30s, ready: {notify: true}, user: peid, policy: critical",
        ] {
            good(&one(keys));
        }
    }

    #[test]
    fn what_contradicts_itself_is_told() {
        for (keys, expected) in [
            ("timeout: 1m", "1:37 `services.a.timeout`: only what runs once"),
            ("oneshot: true, timeout: 0s", "1:52 `services.a.timeout`: nothing is done in no time"),
            ("oneshot: true, restart: always", "1:52 `services.a.restart`: a oneshot runs once"),
            ("oneshot: true, ready: {tcp: 1}", "1:43 `services.a.ready`: a oneshot is ready when it has succeeded"),
            ("oneshot: true, watchdog: 1m", "1:53 `services.a.watchdog`: a oneshot is never ready while it runs"),
            ("every: 1m, manual: true", "1:47 `services.a.manual`: what has `every` is started by the clock"),
            ("every: 1m, policy: critical", "1:47 `services.a.policy`: what runs again and again"),
            ("every: 1m, restart: always", "1:48 `services.a.restart`: `every` starts it again already"),
            ("every: 1m, ready: {tcp: 1}", "1:39 `services.a.ready`: a oneshot is ready"),
            ("every: 1m, watchdog: 1m", "1:49 `services.a.watchdog`: a oneshot is never ready"),
            ("every: 999ms", "1:35 `services.a.every`: at least a second"),
            ("every: sometimes", "1:35 `services.a.every`: expected a duration such as `10m`, a cron expression"),
            ("every: 5", "1:35 `services.a.every`: expected a duration such as `10m`, a cron expression"),
        ] {
            bad(&one(keys), expected);
        }
    }

    #[test]
    fn what_waits_for_something_that_the_boot_does_not_start_is_warned_about() {
        let after = |keys: &str| format!("{}\napp: {{after: [a]}}", one(keys));
        good(&after("oneshot: true"));
        good(&after("every: 1h"));
        assert_eq!(
            found_with_hints(&after("manual: true")),
            ["?2:15 `app.after[0]`: `a` is `manual`, so this waits until someone starts it (devinit start a)"]
        );
        bad(&after("every: \"@daily\""), "?2:15 `app.after[0]`: `a` runs at set times");
        let by_hand = |keys: &str| {
            format!("services: {{a: {{command: x, {keys}}}, b: {{command: x, manual: true, after: [a]}}}}")
        };
        good(&by_hand("manual: true"));
        good(&by_hand("every: \"@daily\""));
    }
}
