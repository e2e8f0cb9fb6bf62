//! The command line.

mod job;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::duration;
use crate::texts;

pub use job::{Ansi, How, Job, JobCommand, JobLogs, JobStatus, List, Retry, Run, StopJob, StreamName, Wait, run_hint};

/// The first process of a dev container.
///
/// As an image's ENTRYPOINT (`["/usr/local/bin/devinit", "--"]`) it makes users, starts sshd and the app, reaps,
/// passes signals on and brings the container down cleanly. The other commands look into a running container.
#[derive(Debug, Parser)]
#[command(name = "devinit", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without it devinit boots.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The main command: gets the terminal, and its exit code is the container's.
    #[arg(last = true)]
    pub main: Vec<String>,
}

const STATUS_EXAMPLES: &str = "\
Examples:
  devinit status                        all services, and the last lines of those in trouble
  devinit status app                    all that is known of one
  devinit status --wait --timeout 10m   until nothing is pending; exit code 1 if something failed
  devinit status --json | jq '.engine.services[] | select(.state == \"failed\")'

Exit code 0; 1 with --wait if something failed, or for a name that no service has; 2 if no devinit answers.";
const CONTROL_CODES: &str = "\
Needs root, or to be who devinit runs as.

Exit code 0: it is begun, or with --wait done. 1: refused, or with --wait failed or too late. 2: no devinit answers.";
const RELOAD_CODES: &str = "\
A config that cannot be used is shown as `devinit check` shows it, and nothing is touched. Needs root, or to be who
devinit runs as.

Exit code 0: done, also where nothing changed. 1: the config cannot be used, or refused. 2: no devinit answers.";
const LOGS_EXAMPLES: &str = "\
Examples:
  devinit logs app -n 100   the last hundred lines of one
  devinit logs -f           of all, in the order of their times, and what comes
  devinit logs --json       as lines of JSON

A log can be read by root and by the service's user. Exit code 0; 1 if one cannot be read, or for a name that no service has.";
const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(devinit completions bash)
  devinit completions bash > /usr/share/bash-completion/completions/devinit
  devinit completions zsh  > /usr/share/zsh/vendor-completions/_devinit
  devinit completions fish > ~/.config/fish/completions/devinit.fish";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Boot: as PID 1, or as a subreaper where something else is
    Boot(Boot),
    /// Install what is still to be installed of the first run; safe to repeat, goes on where it was cut off
    ///
    /// Exit code 0: all is there but what is optional. 1: something failed or was skipped, or it could not begin. 78: the
    /// config cannot be used. 128+N: signal N stopped it. Each step's log is in ~/.local/state/devinit/first-run/logs, or
    /// in /var/lib/devinit/first-run/logs if it runs as root.
    FirstRun(FirstRun),
    /// Whether the container is well: exit code 0 yes, 1 no, 2 cannot tell
    Health(Health),
    /// How the container stands: services, the first run, users, keys, ports
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Status),
    /// Run services, and forget their failures
    #[command(after_help = CONTROL_CODES)]
    Start(Named),
    /// End services and leave them so
    #[command(after_help = CONTROL_CODES)]
    Stop(Named),
    /// End services and run them again
    #[command(after_help = CONTROL_CODES)]
    Restart(Named),
    /// Read the config again, show what changed, and touch only that
    #[command(after_help = RELOAD_CODES)]
    Reload(Reload),
    /// What services have printed: the last lines, and with -f what comes
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(Logs),
    /// Run long commands with a status file and a log, and see from anywhere how they stand
    Job(Job),
    /// The entrypoints to choose from by DEVINIT_ENTRYPOINT
    Entrypoints(Entrypoints),
    /// Check configs; exit code 0 when they are right, 1 when not
    Check(Check),
    /// Print what a boot would do, and do nothing
    Plan(Plan),
    /// Print the config's JSON Schema
    Schema,
    /// Where the time of this boot and of the first run went, slowest first
    ///
    /// Steps marked with * are the critical path: the first run ends sooner if one of these does. Exit code 2 if nothing is
    /// known.
    Analyze(Analyze),
    /// Print the greeting of login shells
    Greet(Greet),
    /// Boot in namespaces of this machine over a throw-away copy of its files, to try a config without an image
    Try(Try),
    /// Print completions for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// What devinit runs for itself
    #[command(subcommand, hide = true)]
    Internal(Internal),
}

/// What devinit runs for itself, as a service of the plan.
#[derive(Debug, Subcommand)]
pub enum Internal {
    /// Fetch the authorized keys that come from URLs, until all of them are there
    FetchKeys(Config),
    /// Serve the status page
    Page {
        /// The port
        #[arg(long)]
        port: u16,
        /// The address; all of them if there is none
        #[arg(long)]
        address: Option<std::net::IpAddr>,
    },
    /// Run an entrypoint's command on the terminal, and a login shell when it has ended
    ThenShell {
        /// What the command is called
        name: String,
        /// The command
        #[arg(last = true, required = true)]
        main: Vec<String>,
    },
    /// Print names for completions, one on each line
    Names {
        /// Of what
        #[arg(default_value = "services")]
        of: NamesOf,
    },
}

/// A shell that completions can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the help would repeat them")]
pub enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

/// The manual page.
#[must_use]
pub fn manual() -> String {
    texts::text(MANUAL)
}

const MANUAL: &str = "src/cli/devinit.1";

/// What has names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NamesOf {
    /// The services of this container.
    Services,
    /// The steps of its first run.
    Steps,
    /// The jobs in the config's folder.
    Jobs,
    /// The entrypoints of the config.
    Entrypoints,
}

/// Which config.
#[derive(Clone, Debug, Default, Args)]
pub struct Config {
    /// The config, instead of /etc/devinit/config.yaml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Arguments of `boot`.
#[derive(Debug, Default, Args)]
pub struct Boot {
    /// Which config.
    #[command(flatten)]
    pub config: Config,
    /// The main command: gets the terminal, and its exit code is the container's
    #[arg(last = true)]
    pub main: Vec<String>,
}

/// Arguments of `first-run`.
#[derive(Clone, Debug, Default, Args)]
pub struct FirstRun {
    /// Which config.
    #[command(flatten)]
    pub config: Config,
    /// For whom, by name or uid, instead of first_run.user
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Only this step with its parts, and what it needs (may be given several times)
    #[arg(long, value_name = "STEP")]
    pub only: Vec<String>,
    /// Do again what is done, so that `latest` is looked up anew: the steps of --only, or all of them
    #[arg(long)]
    pub force: bool,
    /// Print what is done and what is to do, and change nothing
    #[arg(long)]
    pub plan: bool,
    /// Events as lines of JSON; with --plan, one JSON document
    #[arg(long)]
    pub json: bool,
    /// Fill this folder with what the steps download, for machines like this one, and install nothing
    #[arg(long, value_name = "DIR", conflicts_with_all = ["bundle", "force", "plan"])]
    pub download_only: Option<PathBuf>,
    /// Install from a folder that --download-only has filled, without a network
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// As the boot does it: quiet lines, whatever the output is
    #[arg(long, hide = true)]
    pub boot: bool,
}

/// Arguments of `analyze`.
#[derive(Debug, Args)]
pub struct Analyze {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `health`.
#[derive(Debug, Args)]
pub struct Health {
    /// Only whether devinit answers
    #[arg(long, conflicts_with = "ready")]
    pub live: bool,
    /// Also whether everything that was to start is ready
    #[arg(long)]
    pub ready: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Only these services, in detail
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Wait until nothing is pending; exit code 1 if something failed
    #[arg(long)]
    pub wait: bool,
    /// How long to wait, such as 90s or 10m
    #[arg(long, value_parser = duration::parse, default_value = "10m", requires = "wait")]
    pub timeout: Duration,
}

/// Arguments of `start`, `stop` and `restart`.
#[derive(Debug, Args)]
pub struct Named {
    /// The services, as `status` lists them
    #[arg(required = true, value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Wait until it is ready or has ended, and say why if it fails
    #[arg(long)]
    pub wait: bool,
    /// How long to wait, such as 90s or 10m
    #[arg(long, value_parser = duration::parse, default_value = "10m", requires = "wait")]
    pub timeout: Duration,
}

/// Arguments of `reload`.
#[derive(Debug, Args)]
pub struct Reload {
    /// Only show what would change
    #[arg(long)]
    pub dry_run: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// The services, as `status` lists them; without one all of them
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Go on with what is printed from now on, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// How many lines of each service
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub lines: usize,
    /// As lines of JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `entrypoints`.
#[derive(Debug, Args)]
pub struct Entrypoints {
    /// Which config.
    #[command(flatten)]
    pub config: Config,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The configs, each by itself; without one the config of this machine with its drop-ins
    pub files: Vec<PathBuf>,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Which config.
    #[command(flatten)]
    pub config: Config,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// The main command that the boot would have
    #[arg(last = true)]
    pub main: Vec<String>,
}

/// Arguments of `greet`.
#[derive(Debug, Args)]
pub struct Greet {
    /// The greeting of the container's log: with the host keys' fingerprints
    #[arg(long, hide = true)]
    pub boot: bool,
}

/// Arguments of `try`.
#[derive(Debug, Args)]
pub struct Try {
    /// The config, instead of one that devinit brings along for this
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep what the container writes in this folder, and begin from it the next time
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "devinit-try")]
    pub keep: Option<PathBuf>,
    /// The port of sshd on 127.0.0.1
    #[arg(long, default_value_t = 4444)]
    pub ssh_port: u16,
    /// The main command, instead of the app
    #[arg(last = true)]
    pub main: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn everything_after_the_dashes_is_the_main_command() {
        let cli = Cli::parse_from(["devinit", "--", "status", "--json"]);
        assert!(cli.command.is_none());
        assert_eq!(cli.main, ["status", "--json"]);
    }

    #[test]
    fn the_files_say_what_the_manual_says() {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page).unwrap();
        texts::hold(MANUAL, &String::from_utf8(page).unwrap());
    }

    #[test]
    fn every_help_fits_on_a_screen() {
        fn look(command: &mut clap::Command) {
            let name = command.get_name().to_owned();
            let lines = command.render_long_help().to_string().lines().count();
            assert!(lines <= 60, "{name} --help has {lines} lines");
            let lines = command.render_help().to_string().lines().count();
            assert!(lines <= 40, "{name} -h has {lines} lines");
            command.get_subcommands_mut().filter(|command| !command.is_hide_set()).for_each(look);
        }
        look(&mut Cli::command());
    }
}
