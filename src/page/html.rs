//! The page for people: one document, no script, nothing from elsewhere.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use super::data::{PageData, ServiceLine, Ssh, State, StepLine};
use crate::engine::snapshot::ServiceState;
use crate::outlook::{self, first_run::StepState};
use crate::words::span;

/// The style; read at build time so that it is written as what it is.
const STYLE: &str = include_str!("style.css");

/// Seconds after which the page is loaded again, while something is going on and when all is quiet.
const REFRESH: (u32, u32) = (3, 30);

/// The whole document, below 20 KiB. Everything that comes from outside is escaped.
#[must_use]
pub fn html(data: &PageData) -> String {
    let mut page = String::with_capacity(8 * 1024);
    // Writing to a string cannot fail.
    let _ = write(&mut page, data);
    page
}

fn write(page: &mut String, data: &PageData) -> fmt::Result {
    let (headline, host) = (Escaped(&data.headline), Escaped(&data.hostname));
    let refresh = if data.pending { REFRESH.0 } else { REFRESH.1 };
    let (tone, label) = pill(data.state);
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <meta http-equiv=\"refresh\" content=\"{refresh}\">\n<title>{headline} · {host}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"host\">{host}</p>\n<p class=\"pill {tone}\">{label}</p>\n<h1>{headline}</h1>\n\
         <p class=\"lead\">{}</p>\n</header>\n",
        advice(data.state, data.ssh.is_some())
    )?;
    first_run(page, &data.first_run)?;
    services(page, &data.services)?;
    if let Some(ssh) = &data.ssh {
        connect(page, ssh)?;
    }
    facts(page, &data.facts)?;
    if data.warnings > 0 {
        let (count, plural) = (data.warnings, if data.warnings == 1 { "" } else { "s" });
        writeln!(
            page,
            "<p class=\"warning\"><strong>{count} warning{plural}.</strong> Log in and run <code>devinit status</code> to \
             read {}.</p>",
            if data.warnings == 1 { "it" } else { "them" }
        )?;
    }
    page.write_str("</main>\n</body>\n</html>\n")
}

/// The colour and the word that stand for a state.
fn pill(state: State) -> (&'static str, &'static str) {
    match state {
        State::SshOnly | State::AppReady => ("good", "ready"),
        State::Starting | State::ServicesStarting | State::Preparing => ("busy", "starting"),
        State::Restarting => ("odd", "restarting"),
        State::Unknown => ("odd", "unknown"),
        State::Failed => ("bad", "failed"),
        State::Blocked => ("bad", "waiting"),
        State::Rescue => ("bad", "rescue"),
        State::Ended => ("calm", "ended"),
        State::Stopping => ("calm", "stopping"),
    }
}

/// What to do.
fn advice(state: State, ssh: bool) -> &'static str {
    match state {
        State::Unknown | State::Preparing | State::ServicesStarting => "This page refreshes itself.",
        State::Starting | State::Restarting => {
            "This page refreshes itself until the app takes over its port. If nothing answers then, the app is still \
             loading: try again in a moment."
        }
        State::AppReady => "Load this page again to see it.",
        State::SshOnly if ssh => "The container is up and waits for you.",
        State::SshOnly => "The container is up.",
        State::Failed | State::Blocked | State::Ended if ssh => {
            "Log in and run <code>devinit status</code> to see why."
        }
        State::Rescue if ssh => "Only SSH was started. Log in and run <code>devinit status</code> to see why.",
        State::Failed | State::Blocked | State::Ended | State::Rescue => "The container's log says why.",
        State::Stopping => "It can be started again where it was stopped.",
    }
}

fn services(page: &mut String, services: &[ServiceLine]) -> fmt::Result {
    if services.is_empty() {
        return Ok(());
    }
    page.write_str("<section>\n<h2>Services</h2>\n<ul>\n")?;
    for service in services {
        let tone = match service.state {
            ServiceState::Ready => "good",
            ServiceState::Waiting | ServiceState::Starting => "busy",
            ServiceState::BackingOff => "odd",
            ServiceState::Failed => "bad",
            ServiceState::Stopping | ServiceState::Done | ServiceState::Stopped | ServiceState::Scheduled => "calm",
        };
        writeln!(
            page,
            "<li><span class=\"name\">{}</span> <span class=\"time\">{}</span> <span class=\"pill {tone}\">{}</span></li>",
            Escaped(&service.name),
            span(Duration::from_secs(service.since_s)),
            outlook::word(service.state)
        )?;
    }
    page.write_str("</ul>\n</section>\n")
}

/// The steps of the first run, with a bar each; nothing once all are done.
fn first_run(page: &mut String, steps: &[StepLine]) -> fmt::Result {
    if steps.iter().all(|step| step.state == StepState::Done) {
        return Ok(());
    }
    page.write_str("<section>\n<h2>First run</h2>\n<ul>\n")?;
    for StepLine { name, state, percent } in steps {
        let tone = match state {
            StepState::Done => "good",
            StepState::Running => "busy",
            StepState::Retrying | StepState::Interrupted => "odd",
            StepState::Failed => "bad",
            StepState::Waiting | StepState::Skipped => "calm",
        };
        write!(page, "<li><span class=\"name\">{}</span> ", Escaped(name))?;
        match (state, percent) {
            (StepState::Running, Some(percent)) => {
                write!(
                    page,
                    "<progress max=\"100\" value=\"{percent}\"></progress> <span class=\"time\">{percent} %</span> "
                )?;
            }
            // Without a value it moves, and says that nobody knows for how long.
            (StepState::Running, None) => page.write_str("<progress></progress> ")?,
            _ => {}
        }
        writeln!(page, "<span class=\"pill {tone}\">{}</span></li>", state.word())?;
    }
    page.write_str("</ul>\n</section>\n")
}

fn connect(page: &mut String, ssh: &Ssh) -> fmt::Result {
    let port = ssh.port;
    write!(
        page,
        "<section>\n<h2>Connect by SSH</h2>\n<pre><code>ssh -p {port} <var>user</var>@<var>host</var></code></pre>\n\
         <p class=\"hint\">Your provider or <code>docker run -p</code> may map port {port} to another one outside.</p>\n"
    )?;
    if !ssh.host_keys.is_empty() {
        page.write_str("<h3>Host key fingerprints</h3>\n<ul class=\"keys\">\n")?;
        for key in &ssh.host_keys {
            writeln!(page, "<li><code>{}</code></li>", Escaped(key))?;
        }
        page.write_str("</ul>\n")?;
    }
    page.write_str("</section>\n")
}

fn facts(page: &mut String, facts: &[(&str, String)]) -> fmt::Result {
    page.write_str("<section>\n<h2>This machine</h2>\n<dl>\n")?;
    for (label, value) in facts {
        writeln!(page, "<div><dt>{label}</dt><dd>{}</dd></div>", Escaped(value))?;
    }
    page.write_str("</dl>\n</section>\n")
}

/// A text that cannot leave the place it is put in, be that an element or an attribute in quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            character => f.write_char(character),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::data::tests::{machine, record, service, snapshot};
    use super::*;
    use crate::first_run::progress::State;
    use crate::note::Note;
    use crate::outlook::first_run::RunState;
    use crate::outlook::first_run::tests::run;

    fn hostile(text: &str, count: usize) -> String {
        let mut record = record(true);
        record.rescue = Some(text.to_owned());
        record.notes = vec![Note::error(text)];
        record.ssh.as_mut().unwrap().host_keys = vec![text.to_owned(); count];
        let mut machine = machine();
        machine.hostname = text.to_owned();
        machine.os.name = Some(text.to_owned());
        machine.gpu.devices[0].model = Some(text.to_owned());
        machine.python.as_mut().unwrap().torch = Some(text.to_owned());
        let services = (0..count).map(|_| service(text, ServiceState::BackingOff, Some(text))).collect();
        let steps: Vec<(&str, State)> = (0..count).map(|_| (text, State::Running)).collect();
        let mut run = run(text, RunState::Running, &steps);
        run.progress.tasks.iter_mut().for_each(|task| (task.bytes, task.total) = (u64::MAX, Some(1)));
        html(&PageData::new(&record, Some(&snapshot(services)), &machine).with_first_runs(&[run]))
    }

    #[test]
    fn steps_have_bars_until_all_are_done() {
        let page = |steps: &[(&str, State)]| {
            let mut run = run("peid", RunState::Running, steps);
            run.progress.tasks.iter_mut().for_each(|task| (task.bytes, task.total) = (45, Some(100)));
            html(&PageData::new(&record(false), Some(&snapshot(Vec::new())), &machine()).with_first_runs(&[run]))
        };
        let busy = page(&[("node", State::Running), ("codex", State::Waiting)]);
        assert!(
            busy.contains("<progress max=\"100\" value=\"45\"></progress> <span class=\"time\">45 %</span>"),
            "{busy}"
        );
        assert!(busy.contains("codex</span> <span class=\"pill calm\">waiting"), "{busy}");
        assert!(busy.contains("content=\"3\""), "it refreshes");
        assert!(!page(&[("node", State::Done)]).contains("<progress"));
        assert!(!page(&[("node", State::Done)]).contains("First run"));
    }

    #[test]
    fn the_page_stays_below_20_kib_whatever_it_is_given() {
        for text in ["\"".repeat(1000), "世".repeat(1000)] {
            let page = hostile(&text, 1000);
            assert!(page.len() < 20 * 1024, "{}", page.len());
        }
    }

    #[test]
    fn there_is_no_script_and_nothing_from_elsewhere() {
        let page = hostile("<script>alert(1)</script><img src=x onerror=alert(1)>", 2);
        for wrong in ["<script", "<img", "http://", "https://", "src=x on\"", "@import", "url("] {
            assert!(!page.contains(wrong), "{wrong}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)"));
    }

    #[test]
    fn it_refreshes_often_only_while_something_is_going_on() {
        let page = |state| {
            let services = vec![service("app", state, None)];
            html(&PageData::new(&record(true), Some(&snapshot(services)), &machine()))
        };
        assert!(page(ServiceState::Waiting).contains("content=\"3\""));
        assert!(page(ServiceState::Failed).contains("content=\"30\""));
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in "([<>\"'&/=a-z]|<script|\\PC){0,60}") {
            let page = hostile(&text, 3);
            let plain = hostile("x", 3);
            prop_assert!(!page.contains("<script"));
            prop_assert_eq!(page.matches('<').count(), plain.matches('<').count());
            prop_assert_eq!(page.matches('"').count(), plain.matches('"').count());
        }
    }
}
