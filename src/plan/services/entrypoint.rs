//! The main command: what is given on the command line, or one of the config's entrypoints.

use std::collections::BTreeMap;

use super::arguments::with_arguments;
use super::{Ground, main_command};
use crate::config::Config;
use crate::config::model::{self, Arguments, Entrypoint, Then};
use crate::engine::spec::Service;
use crate::plan::Facts;
use crate::words::{clean, nearest};

/// The variables that choose an entrypoint, the first one before the second: devinit's own, and the one of the Sygaldry
/// launcher.
pub const VARIABLES: [&str; 2] = ["DEVINIT_ENTRYPOINT", "SYGALDRY_ENTRYPOINT"];
/// The entrypoint that is taken where nothing else is asked for.
pub const DEFAULT: &str = "default";

/// The longest name that is repeated to whoever wrote it, in characters.
const NAME: usize = 80;
/// The longest description in a line of the log, in characters.
const DESCRIPTION: usize = 200;

/// What the main command is.
#[derive(Clone, Copy, Debug, Default)]
pub enum Main<'a> {
    /// There is none: the app runs, if there is one.
    #[default]
    None,
    /// The words of the command line.
    Words,
    /// An entrypoint, by its name.
    Entrypoint(&'a str, &'a Entrypoint),
    /// What was asked for cannot be run, and nothing else is.
    Nothing,
}

impl Main<'_> {
    /// Whether something else than the app was asked for.
    pub fn is_some(self) -> bool {
        !matches!(self, Main::None)
    }

    /// The entrypoint's name, if it is one.
    pub fn name(self) -> Option<String> {
        match self {
            Main::Entrypoint(name, _) => Some(name.to_owned()),
            _ => None,
        }
    }
}

/// Why what was asked for is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// In one line.
    pub why: String,
    /// What could be asked for instead, one in a line each.
    pub known: Vec<String>,
}

/// The variable that asks for an entrypoint, and the name of that.
#[must_use]
pub fn asked_for(environment: &BTreeMap<String, String>) -> Option<(&'static str, &str)> {
    let value = |variable| Some((variable, environment.get(variable)?.as_str()));
    VARIABLES.into_iter().filter_map(value).find(|(_, name)| !name.is_empty())
}

/// Decides on the main command.
pub fn choose<'a>(config: &'a Config, facts: &Facts) -> Result<Main<'a>, Obstacle> {
    let entrypoints = &config.entrypoints;
    let named = |name: &str| entrypoints.get_key_value(name).map(|(name, found)| Main::Entrypoint(name, found));
    if let Some((variable, name)) = asked_for(&facts.environment) {
        return named(name).ok_or_else(|| unknown(config, variable, name));
    }
    Ok(match facts.main.is_empty() {
        false => Main::Words,
        true if has_app(config) => Main::None,
        true => named(DEFAULT).unwrap_or_default(),
    })
}

/// Whether something is to run that [`DEFAULT`] would keep from running.
#[must_use]
pub fn has_app(config: &Config) -> bool {
    config.app.as_ref().is_some_and(|app| app.command.is_some() || app.page)
}

fn unknown(config: &Config, variable: &str, name: &str) -> Obstacle {
    let known = || config.entrypoints.keys().map(String::as_str);
    let near = nearest(name, known()).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
    let name = clean(name, NAME);
    let all = if config.entrypoints.is_empty() {
        "the config has no entrypoints".to_owned()
    } else {
        format!("there are: {}", known().collect::<Vec<_>>().join(", "))
    };
    Obstacle {
        why: format!("{variable} asks for `{name}`, and no entrypoint has this name{near}; {all}"),
        known: config.entrypoints.iter().map(|(name, entrypoint)| described(name, entrypoint)).collect(),
    }
}

fn described(name: &str, entrypoint: &Entrypoint) -> String {
    match &entrypoint.description {
        Some(text) => format!("entrypoint {name}: {}", clean(text, DESCRIPTION)),
        None => format!("entrypoint {name}"),
    }
}

impl Ground<'_> {
    /// The process of the main command, if there is one.
    pub(super) fn main(&self) -> Result<Option<Service>, Obstacle> {
        match self.main {
            Main::None | Main::Nothing => Ok(None),
            Main::Words => {
                let main = main_command(&self.facts.main, &self.own_environment(), self.config.base_entrypoint);
                Ok(main.map(|main| Service { settings: self.settings(), ..main }))
            }
            Main::Entrypoint(name, entrypoint) => self.entrypoint(name, entrypoint).map(Some).map_err(|why| {
                let why = format!("the entrypoint `{name}` cannot be run: {why}");
                Obstacle { why, known: Vec::new() }
            }),
        }
    }

    fn entrypoint(&self, name: &str, wanted: &Entrypoint) -> Result<Service, String> {
        let command = self.entrypoint_command(name, wanted)?;
        let main = main_command(&command, self.environment, self.config.base_entrypoint);
        let main = main.ok_or_else(|| "its command is empty".to_owned())?;
        let base = Service {
            directory: wanted.directory.clone(),
            settings: self.settings(),
            // A reload does not take the shell away from under somebody's hands.
            boot_only: true,
            ..main
        };
        let Entrypoint { user, environment, .. } = wanted.clone();
        let process = model::Service { user, environment, ..model::Service::default() };
        let mut service = self.run_as(base, &process.process(), &mut Vec::new())?;
        // The choice is made: a devinit that it runs has not been asked for anything.
        for variable in VARIABLES.iter().filter(|variable| !wanted.environment.contains_key(**variable)) {
            service.environment.remove(*variable);
        }
        Ok(service)
    }

    /// What is executed: the command with its arguments, run by a job's runner and followed by a shell if that is wanted.
    fn entrypoint_command(&self, name: &str, wanted: &Entrypoint) -> Result<Vec<String>, String> {
        let arguments = &self.facts.main;
        let usual = wanted.command.as_ref().ok_or_else(|| "it has no command".to_owned())?;
        let mut command = match wanted.arguments {
            Arguments::Refuse if !arguments.is_empty() => {
                return Err(format!("it takes no arguments, and was given {}", arguments.len()));
            }
            Arguments::Replace if !arguments.is_empty() => arguments.clone(),
            Arguments::Append | Arguments::Replace | Arguments::Refuse => with_arguments(usual, name, arguments)?,
        };
        if let Some(job) = &wanted.job {
            let mut words = self.program(&["job", "run", job]);
            // Told, as the config may be one that only root can read.
            for (option, folder) in [("--directory", &self.config.jobs.directory), ("--chdir", &wanted.directory)] {
                words.extend(folder.iter().flat_map(|folder| [option.to_owned(), folder.display().to_string()]));
            }
            command = [words, vec!["--".to_owned()], command].concat();
        }
        if wanted.then == Then::Shell {
            command = [self.program(&["internal", "then-shell", name, "--"]), command].concat();
        }
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::spec::Identity;
    use crate::plan::tests::{PASSWD, facts, loaded};
    use crate::plan::{APP, MAIN, Plan, resolve};

    const CONFIG: &str = "{path: [/opt/bin], first_run: {user: peid, steps: [{uv: {}}]}, \
        entrypoints: {default: {command: [bash, -l], arguments: replace}, build: {command: [./b, 'a b'], user: peid, \
        directory: /w, environment: {A: b}, description: Builds}, one: {command: x, arguments: refuse}}}";

    fn plan(config: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Plan {
        let mut facts = facts(PASSWD);
        facts.main = arguments.iter().map(|word| (*word).to_owned()).collect();
        facts.environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        resolve(&loaded(config), &facts, None)
    }

    fn find<'a>(plan: &'a Plan, name: &str) -> Option<&'a Service> {
        plan.spec.services.iter().find(|service| service.name == name)
    }

    fn command(config: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Vec<String> {
        let plan = plan(config, variables, arguments);
        find(&plan, MAIN).map(|main| main.command.clone()).unwrap_or_default()
    }

    fn obstacle(config: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Obstacle {
        let plan = plan(config, variables, arguments);
        assert!(find(&plan, MAIN).is_none() && find(&plan, APP).is_none(), "something else is run");
        assert_eq!(plan.record.entrypoint, None);
        plan.obstacle.unwrap()
    }

    #[test]
    fn devinit_s_variable_goes_before_the_launcher_s_and_an_empty_one_is_none() {
        let build = ["./b", "a b"];
        assert_eq!(command(CONFIG, &[("DEVINIT_ENTRYPOINT", "build")], &[]), build);
        assert_eq!(command(CONFIG, &[("SYGALDRY_ENTRYPOINT", "build")], &[]), build);
        let both = [("DEVINIT_ENTRYPOINT", "default"), ("SYGALDRY_ENTRYPOINT", "build")];
        assert_eq!(command(CONFIG, &both, &[]), ["bash", "-l"]);
        let first_empty = [("DEVINIT_ENTRYPOINT", ""), ("SYGALDRY_ENTRYPOINT", "build")];
        assert_eq!(command(CONFIG, &first_empty, &[]), build);
        assert_eq!(command(CONFIG, &[("DEVINIT_ENTRYPOINT", "")], &["a"]), ["a"]);
    }

    #[test]
    fn without_a_choice_arguments_are_the_command_and_without_those_it_is_default_where_there_is_no_app() {
        assert_eq!(command(CONFIG, &[], &["ls", "-l"]), ["ls", "-l"]);
        assert_eq!(command(CONFIG, &[], &[]), ["bash", "-l"]);
        let with = |app: &str| CONFIG.replacen('{', &format!("{{app: {app}, "), 1);
        assert_eq!(command(&with("{page: false}"), &[], &[]), ["bash", "-l"]);
        for app in ["{command: [a]}", "{page: true}"] {
            let plan = plan(&with(app), &[], &[]);
            assert!(find(&plan, MAIN).is_none() && plan.spec.services.len() > 1, "{app}");
            assert_eq!(plan.record.entrypoint, None);
        }
        let chosen = plan(&with("{command: [a]}"), &[("DEVINIT_ENTRYPOINT", "default")], &[]);
        assert!(find(&chosen, MAIN).is_some() && find(&chosen, APP).is_none());
        assert_eq!(chosen.record.entrypoint.as_deref(), Some("default"));
        assert!(command("{entrypoints: {x: {command: y}}}", &[], &[]).is_empty());
    }

    #[test]
    fn it_is_a_main_command_with_all_that_its_user_has() {
        let plan = plan(CONFIG, &[("DEVINIT_ENTRYPOINT", "build"), ("HOME", "/root")], &["c"]);
        let main = find(&plan, MAIN).unwrap();
        assert_eq!(main.command, ["./b", "a b", "c"]);
        assert!(main.foreground && main.critical && main.gets_signals && main.boot_only && main.log.is_none());
        assert_eq!(main.identity, Some(Identity { uid: 3100, gid: 1100, groups: vec![1100] }));
        assert_eq!(main.directory.as_deref(), Some(std::path::Path::new("/w")));
        let expected =
            [("HOME", "/home/peid"), ("USER", "peid"), ("LOGNAME", "peid"), ("SHELL", "/bin/bash"), ("A", "b")];
        for (name, value) in expected {
            assert_eq!(main.environment[name], value);
        }
        assert!(
            main.environment["PATH"].starts_with("/home/peid/.local/bin:/opt/bin:"),
            "{}",
            main.environment["PATH"]
        );
        assert!(
            !main.environment.contains_key("DEVINIT_ENTRYPOINT"),
            "a devinit that it runs would take it for its own"
        );
        assert!(find(&plan, "first-run").is_none() && find(&plan, "greeting").is_none());
    }

    #[test]
    fn arguments_are_added_or_run_instead_or_refused() {
        assert_eq!(command(CONFIG, &[("DEVINIT_ENTRYPOINT", "default")], &["ls", ""]), ["ls", ""]);
        assert_eq!(command(CONFIG, &[("DEVINIT_ENTRYPOINT", "one")], &[]), ["/bin/sh", "-c", "x", "one"]);
        let why = obstacle(CONFIG, &[("DEVINIT_ENTRYPOINT", "one")], &["a", "b"]).why;
        assert_eq!(why, "the entrypoint `one` cannot be run: it takes no arguments, and was given 2");
        let lines = "{entrypoints: {x: {command: \"a\\nb\"}}}";
        let why = obstacle(lines, &[("DEVINIT_ENTRYPOINT", "x")], &["a"]).why;
        assert!(why.contains("several lines"), "{why}");
    }

    #[test]
    fn an_unknown_one_is_told_with_those_that_there_are_and_nothing_else_is_run() {
        let told = obstacle(CONFIG, &[("DEVINIT_ENTRYPOINT", "biuld")], &["rm", "x"]);
        assert_eq!(
            told.why,
            "DEVINIT_ENTRYPOINT asks for `biuld`, and no entrypoint has this name (did you mean `build`?); there are: \
             build, default, one"
        );
        assert_eq!(told.known, ["entrypoint build: Builds", "entrypoint default", "entrypoint one"]);
        let told = obstacle("{app: {command: [a]}}", &[("SYGALDRY_ENTRYPOINT", "\u{1b}[2J")], &[]);
        assert_eq!(
            told.why,
            "SYGALDRY_ENTRYPOINT asks for `?[2J`, and no entrypoint has this name; the config has no entrypoints"
        );
    }

    #[test]
    fn one_whose_user_is_not_there_is_not_run_as_another() {
        let config = "{entrypoints: {x: {command: [a], user: nobody-there}}}";
        let why = obstacle(config, &[("DEVINIT_ENTRYPOINT", "x")], &[]).why;
        assert_eq!(why, "the entrypoint `x` cannot be run: there is no user nobody-there; add it to users");
    }

    #[test]
    fn a_job_s_runner_and_the_shell_that_follows_stand_in_front() {
        let config = "{jobs: {directory: /j}, entrypoints: {x: {command: make, directory: /w, job: b, then: shell}}}";
        let words = command(config, &[("DEVINIT_ENTRYPOINT", "x")], &["a b"]);
        let expected = [
            ["/devinit", "internal", "then-shell", "x", "--"].as_slice(),
            &["/devinit", "job", "run", "b", "--directory", "/j", "--chdir", "/w", "--"],
            &["/bin/sh", "-c", "make \"$@\"", "x", "a b"],
        ];
        assert_eq!(words, expected.concat());
    }
}
