//! `devinit job`: from the command line to what it does.

use std::ffi::OsString;
use std::path::PathBuf;

use super::views::complain;
use super::{Name, place, runner, views};
use crate::cli::{self, JobCommand};

/// A job to run.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its name.
    pub name: Name,
    /// Program and arguments; at least the program.
    pub command: Vec<OsString>,
    /// The command's working folder, by its absolute path. It need not be there.
    pub directory: PathBuf,
    /// How it is run.
    pub how: cli::How,
    /// Which attempt it is: 1, and one more with each `job retry`.
    pub attempt: u32,
}

/// Does it. Returns the exit code.
#[must_use]
pub fn job(options: &cli::Job) -> i32 {
    let place = match place::place(options) {
        Ok(place) => place,
        Err(why) => {
            complain(&why);
            return match options.command {
                JobCommand::Run(_) | JobCommand::Wait(_) | JobCommand::Retry(_) => 125,
                _ => 1,
            };
        }
    };
    let folder = &place.folder;
    match &options.command {
        JobCommand::Run(options) => match request(options, std::env::current_dir().ok()) {
            Ok(request) => runner::run(place, request),
            Err(why) => {
                complain(&why);
                125
            }
        },
        JobCommand::Status(options) => views::status(folder, options),
        JobCommand::List(options) => views::list(folder, options),
        JobCommand::Logs(options) => views::logs::logs(folder, options),
        JobCommand::Wait(options) => views::wait(folder, options),
        JobCommand::Stop(options) => views::stop(folder, options),
        JobCommand::Retry(options) => views::retry(place, options),
    }
}

/// What is to be run.
fn request(options: &cli::Run, current: Option<PathBuf>) -> Result<Request, String> {
    let name = Name::parse(&options.name)?;
    let directory = match (&options.chdir, current) {
        (Some(directory), _) if directory.is_absolute() => directory.clone(),
        (Some(directory), Some(current)) => current.join(directory),
        (None, Some(current)) => current,
        (_, None) => return Err("the working folder is gone: name another one with --chdir".to_owned()),
    };
    Ok(Request { name, command: options.main.clone(), directory, how: options.how.clone(), attempt: 1 })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn request_of(words: &[&str], current: Option<&str>) -> Result<Request, String> {
        let line = [&["devinit", "job", "run"], words].concat();
        let Some(cli::Command::Job(job)) = cli::Cli::parse_from(line).command else { panic!("it is a job") };
        let JobCommand::Run(run) = &job.command else { panic!("it is to be run") };
        request(run, current.map(PathBuf::from))
    }

    #[test]
    fn a_job_has_its_command_as_it_was_written_and_an_absolute_folder() {
        let request = request_of(&["build", "--", "make", "-j8", "--", ""], Some("/src")).unwrap();
        assert_eq!((request.name.as_str(), request.directory.to_str()), ("build", Some("/src")));
        assert_eq!(request.command, ["make", "-j8", "--", ""]);
        assert_eq!(request.attempt, 1);
        let relative = request_of(&["build", "--chdir", "sub", "--", "make"], Some("/src")).unwrap();
        assert_eq!(relative.directory.to_str(), Some("/src/sub"));
        let absolute = request_of(&["build", "--chdir", "/sub", "--", "make"], None).unwrap();
        assert_eq!(absolute.directory.to_str(), Some("/sub"));
    }

    #[test]
    fn a_job_without_a_proper_name_or_a_folder_is_refused() {
        assert!(request_of(&["../x", "--", "make"], Some("/")).unwrap_err().contains("no name for a job"));
        assert!(request_of(&["x", "--", "make"], None).unwrap_err().contains("--chdir"));
    }
}
