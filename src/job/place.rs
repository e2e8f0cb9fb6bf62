//! Which folder jobs have their files in, and how long these are kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Folder;
use crate::config::model::Jobs;
use crate::prepare::accounts::lookup;
use crate::{boot, cli, config, paths, status};

/// The variable that names the folder, before the config.
pub const VARIABLE: &str = "DEVINIT_JOBS";
/// Root's folder, where nothing else is said.
const OF_ROOT: &str = "/var/lib/devinit/jobs";
/// Everyone else's, below their state folder.
const OF_USERS: &str = "devinit/jobs";
/// How many logs of each job are kept, where nothing else is said.
const KEEP: u32 = 20;

/// The folder of jobs, and how long what is in it is kept.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder, by its absolute path.
    pub folder: Folder,
    /// How many logs of each job are kept; at least 1.
    pub keep: u32,
    /// For how long logs of jobs that have ended are kept; none: for ever.
    pub keep_for: Option<Duration>,
}

/// The folder of jobs: of the command line, else of `DEVINIT_JOBS`, else of the config that this container was booted with, else
/// of the config as it is, else the user's usual one.
///
/// # Errors
/// It cannot be told.
pub fn place(options: &cli::Job) -> Result<Place, String> {
    of(options.directory.as_deref())
}

/// The same with the folder of the command line.
///
/// # Errors
/// It cannot be told.
pub fn of(directory: Option<&Path>) -> Result<Place, String> {
    let environment = boot::environment();
    let jobs = status::record(&paths::runtime()).map_or_else(|| written(&environment), |record| record.jobs);
    let current = std::env::current_dir().ok();
    let uid = nix::unistd::geteuid();
    let home = || {
        let passwd = std::fs::read("/etc/passwd").ok()?;
        lookup(&passwd, &uid.to_string()).map(|entry| entry.home)
    };
    resolve(directory, current.as_deref(), &environment, &jobs, uid.is_root(), &home)
}

/// What the boot leaves for everyone: sessions and services do not get the container's `DEVINIT_JOBS`, and may not be able to
/// read the config.
#[must_use]
pub fn at_boot(jobs: &Jobs, environment: &BTreeMap<String, String>) -> Jobs {
    let named = environment.get(VARIABLE).map(PathBuf::from).filter(|path| path.is_absolute());
    Jobs { directory: named.or_else(|| jobs.directory.clone()), ..jobs.clone() }
}

/// What the config says at the moment, as far as it can be read.
fn written(environment: &BTreeMap<String, String>) -> Jobs {
    let sources = config::Sources::from_environment(None, environment);
    match config::load(&sources, environment) {
        Ok(loaded) => loaded.config.jobs,
        Err(broken) => broken.salvaged.config.jobs,
    }
}

fn resolve(
    directory: Option<&Path>,
    current: Option<&Path>,
    environment: &BTreeMap<String, String>,
    jobs: &Jobs,
    root: bool,
    home: &dyn Fn() -> Option<PathBuf>,
) -> Result<Place, String> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    let path = if let Some(directory) = directory {
        if directory.as_os_str().is_empty() {
            return Err("--directory needs a folder".to_owned());
        }
        // Its runner outlives whoever called it, and may not stay here.
        match current {
            _ if directory.is_absolute() => directory.to_owned(),
            Some(current) => current.join(directory),
            None => return Err("the working folder is gone: write --directory as an absolute path".to_owned()),
        }
    } else if let Some(directory) = variable(VARIABLE) {
        if !directory.is_absolute() {
            return Err(format!("{VARIABLE} has to be an absolute path, which begins with `/`"));
        }
        directory
    } else if let Some(directory) = jobs.directory.clone().filter(absolute) {
        directory
    } else if root {
        PathBuf::from(OF_ROOT)
    } else {
        let state = || Some(variable("HOME").filter(absolute).or_else(home)?.join(".local/state"));
        let state = variable("XDG_STATE_HOME").filter(absolute).or_else(state);
        state.ok_or_else(|| format!("there is no home for jobs: set HOME, {VARIABLE} or --directory"))?.join(OF_USERS)
    };
    let keep = jobs.keep.unwrap_or(KEEP).max(1);
    Ok(Place { folder: Folder::new(path), keep, keep_for: jobs.keep_for })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Asked {
        directory: Option<&'static str>,
        environment: &'static [(&'static str, &'static str)],
        config: Option<&'static str>,
        root: bool,
    }

    const NOTHING: Asked = Asked { directory: None, environment: &[], config: None, root: true };

    fn found(asked: &Asked) -> Result<String, String> {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = asked.environment.iter().map(text).collect();
        let jobs = Jobs { directory: asked.config.map(PathBuf::from), ..Jobs::default() };
        let place =
            resolve(asked.directory.map(Path::new), Some(Path::new("/here")), &environment, &jobs, asked.root, &|| {
                Some(PathBuf::from("/home/of/passwd"))
            });
        place.map(|place| place.folder.path().to_str().unwrap().to_owned())
    }

    #[test]
    fn the_command_line_counts_before_the_variable_and_that_before_the_config() {
        let all = Asked {
            directory: Some("/line"),
            environment: &[("DEVINIT_JOBS", "/variable")],
            config: Some("/config"),
            root: true,
        };
        assert_eq!(found(&all).unwrap(), "/line");
        let all = Asked { directory: None, ..all };
        assert_eq!(found(&all).unwrap(), "/variable");
        let all = Asked { environment: &[("DEVINIT_JOBS", "")], ..all };
        assert_eq!(found(&all).unwrap(), "/config");
        assert_eq!(found(&Asked { root: false, ..all }).unwrap(), "/config");
        assert_eq!(found(&Asked { config: None, ..all }).unwrap(), "/var/lib/devinit/jobs");
    }

    #[test]
    fn others_than_root_have_their_jobs_at_home() {
        let user = Asked { root: false, ..NOTHING };
        assert_eq!(found(&user).unwrap(), "/home/of/passwd/.local/state/devinit/jobs");
        let home = Asked { environment: &[("HOME", "/home/a")], ..user };
        assert_eq!(found(&home).unwrap(), "/home/a/.local/state/devinit/jobs");
        let state = Asked { environment: &[("HOME", "/home/a"), ("XDG_STATE_HOME", "/state")], ..user };
        assert_eq!(found(&state).unwrap(), "/state/devinit/jobs");
        let relative = Asked { environment: &[("HOME", "/home/a"), ("XDG_STATE_HOME", "state")], ..user };
        assert_eq!(found(&relative).unwrap(), "/home/a/.local/state/devinit/jobs");
        let nobody = resolve(None, None, &BTreeMap::new(), &Jobs::default(), false, &|| None).map(|place| place.folder);
        assert!(nobody.unwrap_err().contains("set HOME"));
    }

    #[test]
    fn a_relative_folder_is_one_of_the_working_folder_and_of_nothing_else() {
        assert_eq!(found(&Asked { directory: Some("jobs"), ..NOTHING }).unwrap(), "/here/jobs");
        let variable = found(&Asked { environment: &[("DEVINIT_JOBS", "jobs")], ..NOTHING });
        assert!(variable.unwrap_err().contains("absolute"));
        let gone = resolve(Some(Path::new("jobs")), None, &BTreeMap::new(), &Jobs::default(), true, &|| None);
        assert!(gone.is_err());
    }

    #[test]
    fn the_boot_leaves_the_folder_for_those_who_have_neither_the_variable_nor_the_config() {
        let jobs = Jobs { directory: Some(PathBuf::from("/config")), keep: Some(3), ..Jobs::default() };
        let left = |value: &str| at_boot(&jobs, &BTreeMap::from([(VARIABLE.to_owned(), value.to_owned())]));
        assert_eq!(left("/variable"), Jobs { directory: Some(PathBuf::from("/variable")), ..jobs.clone() });
        assert_eq!(left("relative"), jobs);
        assert_eq!(at_boot(&jobs, &BTreeMap::new()), jobs);
    }

    #[test]
    fn what_is_kept_has_a_usual_value() {
        let of = |jobs: &Jobs| {
            let place = resolve(None, None, &BTreeMap::new(), jobs, true, &|| None).unwrap();
            (place.keep, place.keep_for)
        };
        assert_eq!(of(&Jobs::default()), (20, None));
        let day = Some(Duration::from_secs(86_400));
        assert_eq!(of(&Jobs { keep: Some(3), keep_for: day, ..Jobs::default() }), (3, day));
        assert_eq!(of(&Jobs { keep: Some(0), ..Jobs::default() }).0, 1);
    }
}
