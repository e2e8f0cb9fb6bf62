//! The section `entrypoints`.

use super::processes::is_service_name;
use super::{Check, Place};
use crate::job;

impl Check<'_> {
    pub(super) fn entrypoints(&mut self) {
        let entrypoints = Place::of(&["entrypoints"]);
        for (name, entrypoint) in &self.config.entrypoints {
            let place = entrypoints.key(name);
            if !is_service_name(name) {
                self.misnamed(&place, "not a name for an entrypoint: up to 64 letters, digits, `-`, `_` and `.`");
            }
            match &entrypoint.command {
                Some(command) => self.command(command, &place.key("command")),
                None if self.is_complete(&place) => _ = self.error(&place, "`command` is missing"),
                None => {}
            }
            self.account(entrypoint.user.as_ref(), &place.key("user"));
            self.absolute_if_any(entrypoint.directory.as_ref(), &place.key("directory"));
            self.environment(&entrypoint.environment, &place.key("environment"));
            if let Some(Err(why)) = entrypoint.job.as_deref().map(job::Name::parse) {
                self.error(&place.key("job"), why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bad, good};

    #[test]
    fn entrypoints_have_names_that_can_be_typed_and_something_to_run() {
        good(
            "entrypoints: {default: {command: [bash, -l], arguments: replace}, spack-build: {command: x, then: shell}}",
        );
        for name in ["a b", "-a", ".a", "''", "a/b"] {
            bad(&format!("entrypoints: {{{name}: {{command: x}}}}"), "1:15 `entrypoints.");
        }
        bad("entrypoints: {x: {description: y}}", "1:15 `entrypoints.x`: `command` is missing");
        bad("entrypoints: {x: }", "1:15 `entrypoints.x`: `command` is missing");
        bad("entrypoints: {x: {command: ''}}", "1:28 `entrypoints.x.command`: an empty command");
    }

    #[test]
    fn what_an_entrypoint_runs_as_is_looked_at_as_for_services() {
        good("entrypoints: {x: {command: y, user: peid, directory: /a, environment: {A: b}, job: z-1, then: shell}}");
        bad("entrypoints: {x: {command: y, user: a/b}}", "1:37 `entrypoints.x.user`: expected the name");
        bad("entrypoints: {x: {command: y, directory: a}}", "1:42 `entrypoints.x.directory`: expected an absolute");
        bad("entrypoints: {x: {command: y, environment: {1A: b}}}", "1:45 `entrypoints.x.environment.1A`: not a name");
        bad("entrypoints: {x: {command: y, job: ../z}}", "1:36 `entrypoints.x.job`: `../z` is no name for a job");
    }
}
