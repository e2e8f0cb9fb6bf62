//! The boot: from the command line to a running engine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::time::Duration;

use tracing::{error, warn};

use crate::config::Severity;
use crate::config::model::BaseEntrypoint;
use crate::engine::run::{self, Purpose, Start, UNUSABLE};
use crate::engine::spec::Spec;
use crate::plan::{self, Facts, Plan};
use crate::{cli, config, log, paths, prepare, sorted};

/// Boots, and ends with the container's exit code.
pub fn boot(options: &cli::Boot) -> ! {
    let command_mode = !options.main.is_empty();
    // With a main command the output is the command's: devinit speaks up only when something is wrong.
    log::init(if command_mode { tracing::Level::WARN } else { tracing::Level::INFO });
    let environment = environment();
    let runtime = paths::make_runtime();
    let passed_on = prepare::environment::for_services(&environment, &[]);
    let plain = Spec {
        services: plan::main_command(&options.main, &passed_on, BaseEntrypoint::Auto).into_iter().collect(),
        shutdown: Duration::from_secs(9),
    };
    let nothing_to_prepare = command_mode && options.config.config.is_none() && is_plain(&environment);
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
    let failed = match purpose {
        Purpose::Rescue(why) => Some(why),
        Purpose::Boot | Purpose::Reload { .. } => None,
    };
    let plan = match make_plan(&options.config, &options.main, environment.clone(), runtime.map(Path::to_owned), failed)
    {
        Ok(plan) => plan,
        Err(code) => return code,
    };
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

/// Loads the config and makes the plan; in rescue, if the config cannot be used or `failed` says that a first attempt
/// went wrong.
///
/// # Errors
/// The exit code [`UNUSABLE`], if the config says that the container had better stop.
pub fn make_plan(
    config: &cli::Config,
    main: &[String],
    environment: BTreeMap<String, String>,
    runtime: Option<PathBuf>,
    failed: Option<&str>,
) -> Result<Plan, i32> {
    let sources = config::Sources::from_environment(config.config.as_deref(), &environment);
    let (loaded, mut rescue) = match (config::load(&sources, &environment), failed) {
        (Ok(loaded), None) => (loaded, None),
        (Ok(loaded), Some(why)) => (loaded, Some(why.to_owned())),
        (Err(broken), _) => {
            for problem in &broken.problems {
                match problem.severity {
                    Severity::Error => error!("{}", problem.one_line()),
                    Severity::Warning => warn!("{}", problem.one_line()),
                }
            }
            if broken.on_error == config::model::OnError::Exit {
                return Err(UNUSABLE);
            }
            let first = broken.problems.iter().find(|problem| problem.severity == Severity::Error);
            (*broken.salvaged, Some(first.map_or_else(String::new, config::Problem::one_line)))
        }
    };
    let facts = Facts::gather(main.to_vec(), config.config.clone(), environment, runtime);
    if rescue.is_none()
        && let Some(why) = plan::gpu_fault(&loaded.config, &facts.gpu, &facts.environment)
    {
        error!("{why}");
        if loaded.config.on_error == config::model::OnError::Exit {
            return Err(UNUSABLE);
        }
        rescue = Some(why);
    }
    Ok(plan::resolve(&loaded, &facts, rescue))
}
