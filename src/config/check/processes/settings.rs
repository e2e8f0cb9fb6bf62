//! What the kernel is told about a process.

use super::super::super::capabilities;
use super::super::super::limits;
use super::super::super::model::Process;
use super::super::super::problem::{nearest, quoted_list};
use super::super::super::texts::umask;
use super::super::{Check, Place, is_name_or_id};

impl Check<'_> {
    pub(super) fn settings(&mut self, process: &Process<'_>, place: &Place) {
        if process.umask.as_ref().is_some_and(|mask| umask(mask).is_none()) {
            self.error(&place.key("umask"), "expected permissions in octal, from `0` to `777`, as in `\"022\"`");
        }
        if process.nice.is_some_and(|nice| !(-20..=19).contains(&nice)) {
            self.error(&place.key("nice"), "expected a niceness from -20 (served first) to 19");
        }
        if process.oom_score_adj.is_some_and(|score| !(-1000..=1000).contains(&score)) {
            self.error(&place.key("oom_score_adj"), "expected a number from -1000 (never killed) to 1000 (first)");
        }
        for (name, text) in process.limits {
            let place = place.key("limits").key(name);
            match limits::limit(name, text) {
                Some(Ok(_)) => {}
                Some(Err(why)) => _ = self.error(&place, why),
                None => {
                    let known = limits::names();
                    let hint = match nearest(name, &known) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("limits: {}", quoted_list(&known)),
                    };
                    self.misnamed(&place, "no such limit").hint(hint);
                }
            }
        }
        for (index, name) in process.drop_capabilities.iter().enumerate() {
            if capabilities::numbers(name).is_none() {
                let hint = match nearest(&capabilities::plain(name), &capabilities::NAMES) {
                    Some(near) => format!("did you mean `{}`?", near.to_ascii_uppercase()),
                    None => "write it as in `NET_RAW`, or `ALL` for all of them".to_owned(),
                };
                let place = self.item(&place.key("drop_capabilities"), index);
                self.error(&place, "no such capability").hint(hint);
            }
        }
    }

    pub(super) fn groups(&mut self, groups: &[String], place: &Place) {
        for (index, group) in groups.iter().enumerate() {
            if !is_name_or_id(group) {
                self.error(&self.item(place, index), "expected the name or the number of a group");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{bad, found_with_hints, good};

    #[test]
    fn settings_have_their_ranges() {
        good("app: {umask: 027, nice: -20, oom_score_adj: 1000, groups: [video, 44], no_new_privileges: true}");
        good("app: {umask: \"022\", nice: 19, oom_score_adj: -1000, groups: []}");
        for (text, expected) in [
            ("umask: 099", "1:14 `app.umask`: expected permissions in octal"),
            ("umask: 1777", "1:14 `app.umask`: expected permissions in octal"),
            ("nice: 20", "1:13 `app.nice`: expected a niceness"),
            ("nice: -21", "1:13 `app.nice`: expected a niceness"),
            ("nice: low", "1:13 `app.nice`: expected a whole number, found text"),
            ("nice: 1.5", "1:13 `app.nice`: expected a whole number, found a number"),
            ("oom_score_adj: -1001", "1:22 `app.oom_score_adj`: expected a number from -1000"),
            ("groups: ['a b']", "1:16 `app.groups[0]`: expected the name or the number of a group"),
            ("groups: [x, 4294967295]", "1:19 `app.groups[1]`: expected the name or the number of a group"),
        ] {
            bad(&format!("app: {{{text}}}"), expected);
        }
    }

    #[test]
    fn limits_are_known_and_the_soft_one_is_not_above_the_hard_one() {
        good("app: {limits: {nofile: 1024, core: unlimited, memlock: 64MiB, nproc: \"10:20\", stack: 8M}}");
        let hinted = |text: &str| found_with_hints(&format!("app: {{limits: {{{text}}}}}")).concat();
        assert_eq!(hinted("nofiles: 1"), "1:16 `app.limits.nofiles`: no such limit (did you mean `nofile`?)");
        assert!(hinted("x: 1").contains("(limits: `as`, `core`, "));
        bad("app: {limits: {nofile: \"2:1\"}}", "1:24 `app.limits.nofile`: the soft limit");
        bad("app: {limits: {nofile: 1KiB}}", "1:24 `app.limits.nofile`: expected a number");
        bad("app: {limits: {core: big}}", "1:22 `app.limits.core`: expected bytes");
        bad("app: {limits: {nofile: unlimited}}", "1:24 `app.limits.nofile`: the kernel refuses");
        bad("app: {limits: {core: }}", "1:20 `app.limits.core`: expected text, found nothing");
    }

    #[test]
    fn capabilities_are_known() {
        good("app: {drop_capabilities: [NET_RAW, cap_sys_admin, Chown]}");
        good("app: {drop_capabilities: [ALL]}");
        assert_eq!(
            found_with_hints("app: {drop_capabilities: [CHOWN, CAP_NET_ROW, x]}"),
            [
                "1:34 `app.drop_capabilities[1]`: no such capability (did you mean `NET_RAW`?)",
                "1:47 `app.drop_capabilities[2]`: no such capability (write it as in `NET_RAW`, or `ALL` for all of them)",
            ]
        );
    }
}
