//! The boot: from the command line to a running engine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{IsTerminal, Write, stdin};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::time::Duration;

use tracing::{error, warn};

use crate::config::Severity;
use crate::config::model::{BaseEntrypoint, OnError};
use crate::engine::run::{self, Purpose, Start, UNUSABLE};
use crate::engine::spec::Spec;
use crate::plan::{self, Facts, Plan};
use crate::{cli, config, log, paths, prepare, sorted};

/// Boots, and ends with the container's exit code.
pub fn boot(options: &cli::Boot) -> ! {
    let environment = environment();
    let entrypoint = plan::asked_for(&environment).is_some();
    let command_mode = entrypoint || !options.main.is_empty();
    // With a main command the output is the command's: devinit speaks up only when something is wrong.
    log::init(if command_mode { tracing::Level::WARN } else { tracing::Level::INFO });
    let runtime = paths::make_runtime();
    let passed_on = prepare::environment::for_services(&environment, &[]);
    // The arguments of an entrypoint are no command.
    let plain = if entrypoint { &[] } else { options.main.as_slice() };
    let plain = Spec {
        services: plan::main_command(plain, &passed_on, BaseEntrypoint::Auto).into_iter().collect(),
        shutdown: Duration::from_secs(9),
    };
    let nothing_to_prepare = command_mode && !entrypoint && options.config.config.is_none() && is_plain(&environment);
    let prepare = |purpose: Purpose<'_>, pipe: File| prepare(options, &environment, runtime.as_deref(), purpose, pipe);
    let start = Start { prepare: &prepare, spec: plain, known: nothing_to_prepare };
    // Without a return: all memory goes with the process, faster than it could be taken apart.
    exit(match run::run(start, command_mode, runtime.as_deref()) {
        Ok(code) => code,
        Err(error) => {
            error!("devinit cannot start: {error}");
            1
        }
    })
}

/// The environment that devinit was started with. Names and values that are not UTF-8 are taken as well as they can be.
#[must_use]
pub fn environment() -> BTreeMap<String, String> {
    let text = |text: OsString| text.into_string().unwrap_or_else(|text| text.to_string_lossy().into_owned());
    sorted::map(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
}

/// Variables that ask for a user, and for a file mode creation mask.
const NAMED: [&str; 3] = ["USER_NAME", "NB_USER", "UMASK"];

/// Whether there is nothing that devinit was told to do: no config, and none of the variables that stand for one.
fn is_plain(environment: &BTreeMap<String, String>) -> bool {
    !Path::new(paths::CONFIG).exists()
        && !Path::new(paths::DROP_INS).exists()
        && !environment.contains_key("DEVINIT_CONFIG")
        && !prepare::keys::CONSUMED.iter().chain(&NAMED).any(|name| environment.contains_key(*name))
}

/// In a child of PID 1: works out the plan, carries out its part that is files (unless it is only to be told what would
/// change), and writes its part that is processes to the pipe.
fn prepare(
    options: &cli::Boot,
    environment: &BTreeMap<String, String>,
    runtime: Option<&Path>,
    purpose: Purpose<'_>,
    mut pipe: File,
) -> i32 {
    let runtime = runtime.map(Path::to_owned);
    let plan = match make_plan(&options.config, &options.main, environment.clone(), runtime, purpose) {
        Ok(plan) => plan,
        Err(code) => return code,
    };
    if plan.has_main() {
        log::quieten();
    }
    let spec = match purpose {
        // Who asks for a reload has a container that runs, and had better keep it as it is.
        Purpose::Reload { .. } if plan.record.rescue.is_some() => return UNUSABLE,
        Purpose::Reload { dry_run: true } => prepare::foresee(plan),
        Purpose::Reload { dry_run: false } => prepare::carry_out(plan, prepare::Occasion::Reload),
        Purpose::Boot | Purpose::Rescue(_) => prepare::carry_out(plan, prepare::Occasion::Boot),
    };
    match serde_json::to_vec(&spec).map_err(std::io::Error::from).and_then(|bytes| pipe.write_all(&bytes)) {
        Ok(()) => 0,
        Err(error) => {
            error!("the plan could not be handed over: {error}");
            1
        }
    }
}

/// Loads the config and makes the plan; in rescue, if the config cannot be used, the entrypoint that was asked for cannot be
/// run, or a first attempt went wrong.
///
/// # Errors
/// The exit code [`UNUSABLE`], if the config says that the container had better stop. So it had for whoever asked for an
/// entrypoint that cannot be run, and sits at a terminal or could not log in: nothing would ever come.
pub fn make_plan(
    config: &cli::Config,
    main: &[String],
    environment: BTreeMap<String, String>,
    runtime: Option<PathBuf>,
    purpose: Purpose<'_>,
) -> Result<Plan, i32> {
    let sources = config::Sources::from_environment(config.config.as_deref(), &environment);
    let (mut loaded, mut rescue) = match (config::load(&sources, &environment), purpose) {
        (Ok(loaded), Purpose::Boot | Purpose::Reload { .. }) => (loaded, None),
        (Ok(loaded), Purpose::Rescue(why)) => (loaded, Some(why.to_owned())),
        (Err(broken), _) => {
            for problem in &broken.problems {
                match problem.severity {
                    Severity::Error => error!("{}", problem.one_line()),
                    Severity::Warning => warn!("{}", problem.one_line()),
                }
            }
            let mut salvaged = *broken.salvaged;
            let in_vain = plan::asked_for(&environment).is_some() && nobody_comes(salvaged.config.ssh.enabled);
            if broken.on_error == OnError::Exit || in_vain {
                return Err(UNUSABLE);
            }
            // What is left of one is not what was meant: it may lack its user.
            salvaged.config.entrypoints.clear();
            let first = broken.problems.iter().find(|problem| problem.severity == Severity::Error);
            (salvaged, Some(first.map_or_else(String::new, config::Problem::one_line)))
        }
    };
    let facts = Facts::gather(main.to_vec(), config.config.clone(), environment, runtime);
    if rescue.is_none()
        && let Some(why) = plan::gpu_fault(&loaded.config, &facts.gpu, &facts.environment)
    {
        error!("{why}");
        if loaded.config.on_error == OnError::Exit {
            return Err(UNUSABLE);
        }
        rescue = Some(why);
    }
    let plan = plan::resolve(&loaded, &facts, rescue.clone());
    let Some(obstacle) = &plan.obstacle else { return Ok(plan) };
    if matches!(purpose, Purpose::Reload { .. }) {
        // The one that runs is left alone, whatever the config says now.
        return Ok(plan);
    }
    let stop = loaded.config.on_error == OnError::Exit || nobody_comes(plan.ssh.is_some());
    if stop {
        error!("{}", obstacle.why);
    }
    obstacle.known.iter().for_each(|line| error!("{line}"));
    if stop {
        return Err(UNUSABLE);
    }
    loaded.config.entrypoints.clear();
    rescue.get_or_insert_with(|| obstacle.why.clone());
    Ok(plan::resolve(&loaded, &facts, rescue))
}

/// Whether nobody would come to a container in rescue: there is no way in, or whoever started it looks at its terminal.
fn nobody_comes(ssh: bool) -> bool {
    !ssh || stdin().is_terminal()
}
