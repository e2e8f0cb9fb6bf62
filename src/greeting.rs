//! The greeting: what a person who just came in wants to know.
//!
//! It is printed into the boot log and by interactive logins. It has to be there at once and never keeps a login
//! waiting: everything in it comes from files and from what the caller already knows.

mod first_run;

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::Path;

use crate::engine::snapshot::{ServiceState, ServiceStatus, Snapshot};
use crate::machine::{Machine, ports};
use crate::note::{Level, Note};
use crate::outlook::first_run::FirstRun;
use crate::outlook::{self, App};
use crate::status::{self, BootRecord};
use crate::words::{clean, span};
use crate::{paths, sorted, sys};

/// More warnings than these are only counted.
const WARNINGS: usize = 8;
/// The columns that labels have.
const LABEL: usize = 10;
/// The columns that the marks of warnings have.
const MARKER: usize = 3;
/// The least width that lines are broken for, in columns.
const NARROW: usize = 40;
/// The longest text that is taken from anyone, in characters.
const LONG: usize = 400;
/// The most lines that own text may have.
const OWN_LINES: usize = 100;

/// What to do in rescue.
const MEND: &str =
    "Only SSH was started. Mend the config (`devinit check` names what is wrong), then restart the container";

/// When the greeting is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Into the boot log: with the host keys' fingerprints, which a log is the right place to look up.
    Boot,
    /// To a person who logged in.
    Login,
}

/// All that the greeting is made of.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// When it is printed.
    pub moment: Moment,
    /// Who reads it: a login name.
    pub user: String,
    /// What the boot did.
    pub record: BootRecord,
    /// How the services are, if the engine answered.
    pub snapshot: Option<Snapshot>,
    /// How the first runs stand.
    pub first_runs: Vec<FirstRun>,
    /// The machine.
    pub machine: Machine,
    /// Whether the app can be reached from inside only.
    pub loopback_only: bool,
    /// What was there of GPUs at boot and is not any more.
    pub gpu_gone: Option<String>,
}

/// Puts the facts together: those of the machine are read below `root`, `variable` answers for the environment.
#[must_use]
pub fn gather(
    root: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
    moment: Moment,
    user: &str,
    record: BootRecord,
    snapshot: Option<Snapshot>,
) -> Greeting {
    let machine = Machine::look(root, variable);
    // Looking for a listener that is not there takes milliseconds, so it is done only where there has to be one.
    let up = matches!(outlook::app(&record, snapshot.as_ref()), App::Known(app) if app.state == ServiceState::Ready);
    let loopback_only = up && ports::loopback_only(root, record.app_port);
    let gpu_gone = record.gpu.gone(root);
    let first_runs = Vec::new();
    Greeting { moment, user: user.to_owned(), record, snapshot, first_runs, machine, loopback_only, gpu_gone }
}

/// The greeting of this container for this process' standard output; empty where there is to be none.
#[must_use]
pub fn text(moment: Moment) -> String {
    let variable = |name: &str| std::env::var(name).ok();
    let runtime = paths::runtime();
    let record = status::record(&runtime).unwrap_or_default();
    if !record.greeting_enabled || variable("DEVINIT_GREETING").is_some_and(|wanted| wanted == "0") {
        return String::new();
    }
    let mut snapshot = status::snapshot(&runtime);
    if let Some(snapshot) = &mut snapshot {
        // At boot this very process is one of the services, and no news to anyone.
        let own = i32::try_from(std::process::id()).ok();
        snapshot.services.retain(|service| service.pid.is_none() || service.pid != own);
    }
    let first_runs = outlook::first_run::look(&runtime, snapshot.as_ref());
    let greeting = gather(Path::new("/"), &variable, moment, &status::own_name(), record, snapshot);
    let greeting = Greeting { first_runs, ..greeting };
    let terminal = std::io::stdout().is_terminal();
    let no_color = std::env::var_os("NO_COLOR");
    let columns = sys::terminal_columns().unwrap_or(80);
    render(&greeting, columns, wants_color(terminal, no_color.as_deref(), std::env::var_os("TERM").as_deref()))
}

/// Whether the greeting may have colours: on a terminal that knows them, unless [NO_COLOR](https://no-color.org) is
/// set to anything.
#[must_use]
pub fn wants_color(terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty) && term.is_some_and(|term| term != "dumb" && !term.is_empty())
}

/// The greeting's text for a terminal of `width` columns (of at least 40), with a newline at its end.
#[must_use]
pub fn render(greeting: &Greeting, width: usize, color: bool) -> String {
    let mut page = Page { text: String::new(), width: width.max(NARROW), color };
    if let Some(reason) = &greeting.record.rescue {
        page.paragraph("!!", &format!("RESCUE: {reason}"), Style::Bad);
        page.paragraph("", MEND, Style::Bad);
        page.gap();
    }
    page.title(greeting);
    page.gap();
    let mut previous = "";
    for (label, value) in facts(greeting) {
        page.fact(if label == previous { "" } else { label }, &value);
        previous = label;
    }
    page.warnings(&warnings(greeting));
    page.text
}

/// The facts, each with its label.
fn facts(greeting: &Greeting) -> Vec<(&'static str, String)> {
    let Greeting { machine, record, .. } = greeting;
    let mut facts = vec![("OS", machine.os.to_string()), ("GPU", machine.gpu.to_string())];
    facts.extend(machine.python.as_ref().map(|python| ("Python", python.to_string())));
    facts.extend(machine.resources.compute().map(|compute| ("Memory", compute)));
    facts.extend(machine.resources.disks.iter().map(|disk| ("Disk", disk.to_string())));
    facts.extend(ssh(greeting).into_iter().map(|line| ("SSH", line)));
    facts.push(("App", app(record, greeting.snapshot.as_ref())));
    facts.extend(first_run::lines(greeting).into_iter().map(|line| ("First run", line)));
    facts.extend(going_on(greeting).map(|services| ("Going on", services)));
    facts
}

fn ssh(greeting: &Greeting) -> Vec<String> {
    let Some(ssh) = &greeting.record.ssh else { return vec!["not running".to_owned()] };
    let mut lines = vec![format!("port {}", ssh.port)];
    if greeting.moment == Moment::Boot {
        lines.extend(ssh.host_keys.iter().take(WARNINGS).map(|key| format!("host key {key}")));
    }
    lines
}

fn app(record: &BootRecord, snapshot: Option<&Snapshot>) -> String {
    let port = record.app_port;
    let service = match outlook::app(record, snapshot) {
        App::None => return "none: this image is reached by SSH only".to_owned(),
        App::Unknown => return format!("port {port}"),
        App::Known(service) => service,
    };
    let end = service.last_end.as_deref().unwrap_or("it ended");
    let cause = || snapshot.and_then(|snapshot| outlook::blocked(snapshot).get(service.name.as_str()).copied());
    match service.state {
        ServiceState::Waiting if service.waits_for.is_empty() => format!("port {port}, waiting for what it needs"),
        ServiceState::Waiting => format!("port {port}, {}", outlook::waits(service, cause())),
        ServiceState::Starting => format!("port {port}, starting for {}", span(outlook::since(service))),
        ServiceState::Ready => format!("port {port}, ready"),
        ServiceState::Stopping => "stopping".to_owned(),
        ServiceState::BackingOff => format!("{end}; it is started again"),
        ServiceState::Done | ServiceState::Scheduled => format!("ended ({end})"),
        ServiceState::Stopped => "stopped; `devinit start app` starts it".to_owned(),
        ServiceState::Failed => format!("failed and was given up ({end}); `devinit status app` says more"),
    }
}

/// What is still going on besides the app.
fn going_on(greeting: &Greeting) -> Option<String> {
    let snapshot = greeting.snapshot.as_ref()?;
    let app = outlook::app(&greeting.record, Some(snapshot));
    let others = outlook::starting(snapshot).filter(|service| app != App::Known(service));
    let words: Vec<String> = others.map(describe).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn describe(service: &ServiceStatus) -> String {
    format!("{} {} for {}", service.name, outlook::word(service.state), span(outlook::since(service)))
}

/// What is worth a warning, the worst first.
fn warnings(greeting: &Greeting) -> Vec<Note> {
    let record = &greeting.record;
    let mut notes: Vec<Note> = record.notes.iter().filter(|note| note.level > Level::Info).cloned().collect();
    if greeting.loopback_only {
        let port = record.app_port;
        notes.push(Note::warning(format!(
            "the app listens on 127.0.0.1:{port} only and cannot be reached from outside; let it listen on 0.0.0.0"
        )));
    }
    notes.extend(greeting.gpu_gone.iter().map(Note::error));
    sorted::sort_by_key(&mut notes, |note| std::cmp::Reverse(note.level));
    notes
}

/// The greeting's first lines: own text, or the usual one.
fn title(greeting: &Greeting) -> Vec<String> {
    let Greeting { machine, user, record, .. } = greeting;
    let Some(own) = &record.greeting else { return vec![format!("Welcome to {}", machine.hostname)] };
    let os = machine.os.name.as_deref().unwrap_or("Linux");
    let filled =
        fill(own, &[("hostname", &machine.hostname), ("user", user), ("os", os), ("gpu", &machine.gpu.to_string())]);
    filled.lines().take(OWN_LINES).map(str::to_owned).collect()
}

/// Replaces each `{name}` in one pass, so that a value that looks like a placeholder stays as it is.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let known =
            values.iter().find_map(|(name, value)| Some((value, after.strip_prefix(*name)?.strip_prefix('}')?)));
        rest = match known {
            Some((value, after)) => {
                filled.push_str(value);
                after
            }
            None => {
                filled.push('{');
                after
            }
        };
    }
    filled + rest
}

/// How a text stands out.
#[derive(Clone, Copy)]
enum Style {
    Plain,
    Strong,
    Dim,
    Odd,
    Bad,
}

/// The text as it grows.
struct Page {
    text: String,
    width: usize,
    color: bool,
}

impl Page {
    fn title(&mut self, greeting: &Greeting) {
        for line in title(greeting) {
            // Own text may be a drawing: its lines are not broken, and the space before them stays.
            let indent: String = line.chars().take_while(|character| *character == ' ').take(self.width).collect();
            self.line(&indent, &clean(&line, LONG), Style::Strong);
        }
    }

    fn fact(&mut self, label: &str, value: &str) {
        for (index, line) in wrap(&clean(value, LONG), self.width - LABEL).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.paint(&format!("{label:<LABEL$}"), Style::Dim);
            self.line("", line, Style::Plain);
        }
    }

    fn warnings(&mut self, notes: &[Note]) {
        if notes.is_empty() {
            return;
        }
        self.gap();
        for note in notes.iter().take(WARNINGS) {
            match note.level {
                Level::Error => self.paragraph("!!", &note.text, Style::Bad),
                Level::Info | Level::Warning => self.paragraph("!", &note.text, Style::Odd),
            }
        }
        if let more @ 1.. = notes.len().saturating_sub(WARNINGS) {
            self.line("", &format!("   and {more} more: devinit status"), Style::Plain);
        }
    }

    /// A text with a marker before its first line, broken to the width.
    fn paragraph(&mut self, marker: &str, text: &str, style: Style) {
        for (index, line) in wrap(&clean(text, LONG), self.width - MARKER).iter().enumerate() {
            let marker = if index == 0 { marker } else { "" };
            self.line("", &format!("{marker:<MARKER$}{line}"), style);
        }
    }

    fn line(&mut self, indent: &str, text: &str, style: Style) {
        self.text.push_str(indent);
        self.paint(text, style);
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn paint(&mut self, text: &str, style: Style) {
        let code = match style {
            Style::Plain => "",
            Style::Strong => "1",
            Style::Dim => "2",
            Style::Odd => "33",
            Style::Bad => "1;31",
        };
        if self.color && !code.is_empty() && !text.is_empty() {
            self.text.push_str(&format!("\x1b[{code}m{text}\x1b[0m"));
        } else {
            self.text.push_str(text);
        }
    }
}

/// Breaks a text at spaces into lines of at most `width` characters. A word that is longer, such as a fingerprint,
/// stays whole so that it can be copied.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::spec::Kind;
    use crate::first_run::progress::State;
    use crate::machine::gpu::{Cuda, Device, Driver};
    use crate::machine::{Gpu, Os, Python};
    use crate::outlook::first_run::RunState;
    use crate::outlook::first_run::tests::run;
    use crate::status::SshRecord;

    pub(super) fn service(name: &str, state: ServiceState, end: Option<&str>) -> ServiceStatus {
        let last_end = end.map(str::to_owned);
        ServiceStatus { since_ms: 130_000, last_end, ..ServiceStatus::new(name, Kind::Daemon, state) }
    }

    pub(super) fn greeting(services: Vec<ServiceStatus>) -> Greeting {
        let record = BootRecord {
            app: true,
            app_port: 27015,
            ssh: Some(SshRecord { port: 22, host_keys: vec![format!("SHA256:{} (ED25519)", "k".repeat(43))] }),
            ..BootRecord::default()
        };
        let gpu = Gpu {
            driver: Some(Driver { version: "550.54.14".to_owned(), open: false }),
            devices: vec![Device { model: Some("NVIDIA H100 80GB HBM3".to_owned()), ..Device::default() }; 2],
            image_cuda: Cuda::parse("12.9"),
            ..Gpu::default()
        };
        let machine = Machine {
            hostname: "box".to_owned(),
            os: Os { name: Some("Ubuntu 24.04.1 LTS".to_owned()), kernel: Some("6.8.0".to_owned()) },
            gpu,
            python: Some(Python { version: "3.12".to_owned(), torch: Some("2.5.1".to_owned()) }),
            ..Machine::default()
        };
        let snapshot = Snapshot::running(1, services);
        Greeting {
            moment: Moment::Login,
            user: "peid".to_owned(),
            record,
            snapshot: Some(snapshot),
            first_runs: Vec::new(),
            machine,
            loopback_only: false,
            gpu_gone: None,
        }
    }

    #[test]
    fn a_login_sees_the_facts_aligned() {
        let services = vec![service("app", ServiceState::Starting, None), service("xvfb", ServiceState::Waiting, None)];
        insta::assert_snapshot!(render(&greeting(services), 80, false), @r"
        Welcome to box

        OS        Ubuntu 24.04.1 LTS, kernel 6.8.0
        GPU       2 x NVIDIA H100 80GB HBM3, driver 550.54.14 (CUDA up to 12.4); image:
                  CUDA 12.9
        Python    3.12, torch 2.5.1
        SSH       port 22
        App       port 27015, starting for 2m 10s
        Going on  xvfb waiting for 2m 10s
        ");
    }

    #[test]
    fn forty_columns_are_enough() {
        let mut greeting = greeting(vec![service("app", ServiceState::Failed, Some("exit code 1"))]);
        greeting.record.notes =
            vec![Note::warning("the password of `peid` is weak: everyone who reads this will guess it")];
        for line in render(&greeting, 10, false).lines() {
            assert!(line.chars().count() <= NARROW, "{line}");
        }
    }

    #[test]
    fn fingerprints_are_for_the_boot_log_and_are_never_broken() {
        let mut greeting = greeting(Vec::new());
        assert!(!render(&greeting, 80, false).contains("SHA256"));
        greeting.moment = Moment::Boot;
        assert!(render(&greeting, 40, false).contains(&"k".repeat(43)));
    }

    #[test]
    fn rescue_comes_first_and_in_red() {
        let mut greeting = greeting(Vec::new());
        greeting.record.rescue = Some("/etc/devinit/config.yaml:3: no".to_owned());
        assert!(
            render(&greeting, 80, true).starts_with("\x1b[1;31m!! RESCUE: /etc/devinit/config.yaml:3: no\x1b[0m\n")
        );
        assert!(render(&greeting, 80, false).contains("devinit check"));
    }

    #[test]
    fn the_worst_warnings_come_first_and_the_rest_is_counted() {
        let mut greeting = greeting(Vec::new());
        greeting.record.notes = (0..9).map(|number| Note::warning(format!("odd {number}"))).collect();
        greeting.record.notes.push(Note::info("nothing"));
        greeting.record.notes.push(Note::error("broken"));
        let text = render(&greeting, 80, false);
        let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with('!')).collect();
        assert_eq!((lines.first(), lines.get(1)), (Some(&"!! broken"), Some(&"!  odd 0")));
        assert_eq!((lines.len(), lines.last()), (9, Some(&"   and 2 more: devinit status")));
        assert!(!text.contains("nothing"));
    }

    #[test]
    fn an_app_on_loopback_only_is_named() {
        let mut greeting = greeting(Vec::new());
        assert!(!render(&greeting, 80, false).contains("127.0.0.1:27015 only"));
        greeting.loopback_only = true;
        assert!(render(&greeting, 80, false).contains("127.0.0.1:27015 only"));
    }

    #[test]
    fn the_listeners_are_looked_at_once_the_app_is_ready() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("proc/net")).unwrap();
        let row = format!("sl local rem st\n 0: {:08X}:6987 0:0 0A\n", u32::from_ne_bytes([127, 0, 0, 1]));
        std::fs::write(root.path().join("proc/net/tcp"), row).unwrap();
        let loopback_only = |state| {
            let Greeting { record, snapshot, .. } = greeting(vec![service("app", state, None)]);
            gather(root.path(), &|_| None, Moment::Login, "peid", record, snapshot).loopback_only
        };
        assert!(loopback_only(ServiceState::Ready));
        assert!(!loopback_only(ServiceState::Starting));
    }

    #[test]
    fn own_text_keeps_its_shape_and_placeholders_are_filled_once() {
        let mut greeting = greeting(Vec::new());
        greeting.machine.hostname = "{user}".to_owned();
        greeting.record.greeting = Some("  /\\ {hostname}\n\t{user} on {os}, {other} {\n".to_owned());
        assert_eq!(title(&greeting), ["  /\\ {user}", "\tpeid on Ubuntu 24.04.1 LTS, {other} {"]);
        assert!(render(&greeting, 80, false).starts_with("  /\\ {user}\npeid on"));
    }

    #[test]
    fn the_main_command_counts_as_the_app() {
        let mut main = service("bash", ServiceState::Ready, None);
        main.critical = true;
        let text = render(&greeting(vec![service("sshd", ServiceState::Ready, None), main]), 80, false);
        assert!(text.contains("port 27015, ready"), "{text}");
        assert!(!text.contains("Going on"));
    }

    #[test]
    fn colour_needs_a_terminal_and_nobody_against_it() {
        let term = Some(OsStr::new("xterm"));
        assert!(wants_color(true, None, term));
        assert!(wants_color(true, Some(OsStr::new("")), term));
        assert!(!wants_color(true, Some(OsStr::new("1")), term));
        assert!(!wants_color(false, None, term));
        assert!(!wants_color(true, None, Some(OsStr::new("dumb"))));
        assert!(!wants_color(true, None, None));
    }

    proptest! {
        #[test]
        fn no_text_from_anyone_moves_the_cursor(text in any::<String>(), width in 0_usize..200) {
            let mut greeting = greeting(vec![service(&text, ServiceState::Waiting, Some(&text))]);
            greeting.machine.hostname.clone_from(&text);
            greeting.machine.os.name = Some(text.clone());
            greeting.machine.gpu.devices[0].model = Some(text.clone());
            greeting.record.rescue = Some(text.clone());
            greeting.record.greeting = Some(text.clone());
            greeting.first_runs = vec![run(&text, RunState::Running, &[(&text, State::Running)]), run(&text, RunState::Failed, &[(&text, State::Failed)])];
            greeting.first_runs[1].progress.tasks[0].error = Some(text.clone());
            greeting.record.notes = vec![Note::error(text)];
            let text = render(&greeting, width, false);
            prop_assert!(text.chars().all(|character| character == '\n' || !character.is_control()));
        }
    }
}
