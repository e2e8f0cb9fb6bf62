//! Commands that only look: health, status, analyze, check, plan.

use std::time::{Duration, Instant};

use super::{complain, pretty, print, print_problems, snapshot, unknown};
use crate::config::{self, Sources};
use crate::engine::run::Purpose;
use crate::first_run::analyze;
use crate::health::{self, Question};
use crate::outlook::first_run;
use crate::status::table::Look;
use crate::status::{self, Status};
use crate::{boot, cli, log, outlook, paths, plan};

/// The pause between two looks of those who wait.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// `devinit health`.
#[must_use]
pub fn health(options: &cli::Health) -> i32 {
    let question = match (options.live, options.ready) {
        (true, _) => Question::Live,
        (_, true) => Question::Ready,
        _ => Question::Healthy,
    };
    let verdict = health::check(question);
    print(&if options.json { pretty(&verdict) } else { format!("{}\n", verdict.reason) });
    verdict.exit_code()
}

/// `devinit status`.
#[must_use]
pub fn status(options: &cli::Status) -> i32 {
    let names = &options.services;
    if !names.is_empty() {
        let snapshot = match snapshot() {
            Ok(snapshot) => snapshot,
            Err(code) => return code,
        };
        if let Some(why) = unknown(&snapshot, names) {
            complain(&why);
            return 1;
        }
    }
    let runtime = paths::runtime();
    let deadline = Instant::now() + options.timeout;
    let pending = || status::snapshot(&runtime).is_some_and(|engine| status::pending(&engine, names));
    while options.wait && pending() && Instant::now() < deadline {
        std::thread::sleep(BETWEEN_LOOKS);
    }
    let mut status = Status::gather(names);
    if let Some(engine) = status.engine.as_mut().filter(|_| options.json && !names.is_empty()) {
        engine.services.retain(|service| names.contains(&service.name));
    }
    let lost = print(&if options.json { pretty(&status) } else { text(&status, names) });
    let Some(engine) = &status.engine else { return 2 };
    let failed = status.boot.rescue.is_some() || status::failed(engine, names, &status.first_run);
    if options.wait && (failed || status::pending(engine, names)) { 1 } else { lost }
}

fn text(status: &Status, names: &[String]) -> String {
    let look = Look::of_stdout();
    let engine = status.engine.as_ref().filter(|_| !names.is_empty());
    let Some(engine) = engine else { return status.text(look) };
    let shown = engine.services.iter().filter(|service| names.contains(&service.name));
    let details = shown.map(|service| status::detail(engine, service, status.last_lines.get(&service.name), look));
    details.collect::<Vec<_>>().join("\n")
}

/// `devinit analyze`.
#[must_use]
pub fn analyze(options: &cli::Analyze) -> i32 {
    let runtime = paths::runtime();
    let engine = status::snapshot(&runtime);
    let runs: Vec<_> = outlook::first_run::look(&runtime, engine.as_ref())
        .into_iter()
        .map(|run: first_run::FirstRun| run.progress)
        .collect();
    if engine.is_none() && runs.is_empty() {
        complain(&format!("no devinit answers in {}, and no first run has left a trace there", runtime.display()));
        return 2;
    }
    print(&if options.json {
        pretty(&analyze::json(engine.as_ref(), &runs))
    } else {
        analyze::text(engine.as_ref(), &runs, Look::of_stdout().color)
    })
}

/// `devinit check`.
#[must_use]
pub fn check(options: &cli::Check) -> i32 {
    let environment = boot::environment();
    let all: Vec<Sources> = if options.files.is_empty() {
        vec![Sources::from_environment(None, &environment)]
    } else {
        options.files.iter().map(|file| Sources::only(file)).collect()
    };
    let mut code = 0;
    for sources in all {
        let problems = match config::load(&sources, &environment) {
            Ok(loaded) => {
                let files = loaded.files.iter().map(|file| format!("{}: ok\n", file.display()));
                print(&files.collect::<String>());
                loaded.warnings
            }
            Err(broken) => {
                code = 1;
                broken.problems
            }
        };
        print_problems(&problems);
    }
    code
}

/// `devinit plan`.
#[must_use]
pub fn print_plan(options: &cli::Plan) -> i32 {
    log::init(tracing::Level::WARN);
    let runtime = Some(paths::RUNTIME.into());
    match boot::make_plan(&options.config, &options.main, boot::environment(), runtime, Purpose::Boot) {
        Ok(plan) if options.json => print(&pretty(&plan::json(&plan))),
        Ok(plan) => print(&plan::text(&plan)),
        Err(code) => code,
    }
}
