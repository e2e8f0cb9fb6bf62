//! Scripts and lines of shell.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use serde_json::{Value, json};

use super::command::{content, digest, expand, home, shown};
use crate::config::first_run::Script as Config;
use crate::fetch::Failure;
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};

/// The most of a `#!` line that Linux looks at (BINPRM_BUF_SIZE).
const MAX_FIRST_LINE: usize = 256;

struct Script {
    what: What,
    arguments: Vec<String>,
    directory: Option<PathBuf>,
    home: PathBuf,
}

enum What {
    File(PathBuf),
    Line(String),
}

/// A step `script`.
#[must_use]
pub fn part(step: &Config, place: &Place) -> Part {
    let what = match &step.path {
        Some(path) => What::File(path.clone()),
        None => What::Line(step.run.clone().unwrap_or_default()),
    };
    Part::main(Script { what, arguments: step.args.clone(), directory: step.directory.clone(), home: home(place) })
}

impl Installer for Script {
    fn key(&self) -> Value {
        let what = match &self.what {
            // A script that another step brings along cannot be read before that one has run.
            What::File(path) => json!({"path": path, "sha256": digest(&expand(path, &self.home))}),
            What::Line(line) => json!({"run": line}),
        };
        json!({"script": what, "args": self.arguments, "directory": self.directory})
    }

    fn summary(&self) -> String {
        let arguments = self.arguments.iter().map(String::as_str);
        match &self.what {
            What::File(path) => shown([path.to_string_lossy().as_ref()].into_iter().chain(arguments)),
            What::Line(line) => shown(["sh", "-c", line.trim()].into_iter().chain(arguments)),
        }
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        let mut command = match &self.what {
            What::File(path) => file_command(&expand(path, &self.home))?,
            What::Line(line) => ["/bin/sh", "-c", line, "sh"].map(str::to_owned).into(),
        };
        command.extend_from_slice(&self.arguments);
        let mut run = Run::new(command).env("DEVINIT_FIRST_RUN", "1").env("DEVINIT_STEP", job.name);
        run.directory = self.directory.as_ref().map(|directory| expand(directory, &self.home));
        if let Some(directory) = run.directory.as_ref().filter(|directory| !directory.is_dir()) {
            return Err(Failure::permanent(format!("the working folder {} is not there", directory.display())));
        }
        job.run(&run)?;
        Ok(Installed::default())
    }

    fn collect(&self, job: &mut Job<'_>) -> Result<bool, Failure> {
        job.warn("nobody knows what a script downloads: if it does, it needs a network when it runs");
        Ok(true)
    }
}

/// How a script is run: by itself if it may be executed and says what by, else by what its first line names, or
/// `/bin/sh`.
fn file_command(path: &Path) -> Result<Vec<String>, Failure> {
    let shown = path.display();
    let text = path.to_str().ok_or_else(|| Failure::permanent(format!("{shown} is not UTF-8")))?;
    let about = path.metadata().map_err(|error| {
        Failure::permanent(format!("the script {shown} cannot be run: {error}"))
            .hint("copy or mount it there, or name the step that brings it in `needs`")
    })?;
    if !about.is_file() {
        return Err(Failure::permanent(format!("the script {shown} is not a file")));
    }
    let executable = access(path, AccessFlags::X_OK).is_ok();
    let Some(content) = content(path) else {
        return if executable {
            Ok(vec![text.to_owned()])
        } else {
            Err(Failure::permanent(format!("the script {shown} cannot be read")).hint("make it readable for the user"))
        };
    };
    if executable && content.starts_with(b"\x7fELF") {
        return Ok(vec![text.to_owned()]);
    }
    let first = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
    if first.ends_with(b"\r") {
        return Err(Failure::permanent(format!("the script {shown} has the line ends of Windows")).hint(format!(
            "convert it: sed -i 's/\\r$//' {shown}; for git, add `*.sh text eol=lf` to .gitattributes"
        )));
    }
    let interpreter = interpreter(first);
    if let Some(program) = interpreter.first().filter(|program| !Path::new(program).exists()) {
        return Err(Failure::permanent(format!("the script {shown} asks for {program}, which is not there"))
            .hint("install it before, or change the script's first line"));
    }
    if executable && !interpreter.is_empty() {
        return Ok(vec![text.to_owned()]);
    }
    let mut command = if interpreter.is_empty() { vec!["/bin/sh".to_owned()] } else { interpreter };
    command.push(text.to_owned());
    Ok(command)
}

/// What a `#!` line names: a program and, as Linux has it, at most one argument.
fn interpreter(line: &[u8]) -> Vec<String> {
    let Some(rest) = line.strip_prefix(b"#!") else { return Vec::new() };
    let rest = rest.get(..MAX_FIRST_LINE).unwrap_or(rest);
    let rest = String::from_utf8_lossy(rest);
    let mut words = rest.trim().splitn(2, [' ', '\t']).map(str::trim).filter(|word| !word.is_empty());
    words.by_ref().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, words};
    use super::*;
    use crate::fetch::Retry;
    use crate::first_run::Report;

    const TELL: &str =
        "printf '<%s>' \"$0\" \"$@\" \"$DEVINIT_FIRST_RUN\" \"$DEVINIT_STEP\" >\"$HOME/told\"; pwd >>\"$HOME/told\"";

    fn script(bench: &Bench, path: &Path, arguments: &[&str]) -> Part {
        part(&Config { path: Some(path.to_owned()), args: words(arguments), ..Config::default() }, &bench.place)
    }

    fn line(bench: &Bench, line: &str) -> Part {
        part(&Config { run: Some(line.to_owned()), args: words(&["a b"]), ..Config::default() }, &bench.place)
    }

    fn told(bench: &Bench) -> String {
        std::fs::read_to_string(bench.home("told")).unwrap()
    }

    #[test]
    fn a_script_gets_its_arguments_its_variables_and_the_home_to_work_in() {
        let mut bench = Bench::new();
        let path = bench.file("setup.sh", &format!("#!/bin/sh\n{TELL}\n"), 0o755);
        bench.install(&script(&bench, Path::new("~/setup.sh"), &["--name=My Project", ""])).unwrap();
        let (shown, home) = (path.display(), bench.home(""));
        let home = home.to_str().unwrap().trim_end_matches('/');
        assert_eq!(told(&bench), format!("<{shown}><--name=My Project><><1><step>{home}\n"));
    }

    #[test]
    fn a_line_is_run_by_the_shell_with_arguments_from_1_on() {
        let mut bench = Bench::new();
        bench.install(&line(&bench, TELL)).unwrap();
        assert!(told(&bench).starts_with("<sh><a b><1><step>/"), "{}", told(&bench));
    }

    #[test]
    fn a_script_without_the_permission_to_execute_is_run_by_what_its_first_line_names() {
        let mut bench = Bench::new();
        let path = bench.file("plain", "#!/bin/sh -e\nfalse\ntouch \"$HOME/went-on\"\n", 0o644);
        let failure = bench.install(&script(&bench, &path, &[])).unwrap_err();
        assert_eq!(failure.retry, Retry::Soon);
        assert!(!bench.home("went-on").exists(), "-e was not passed on");
    }

    #[test]
    fn a_script_without_a_first_line_is_run_by_the_shell_executable_or_not() {
        let mut bench = Bench::new();
        for mode in [0o644, 0o755] {
            let path = bench.file("bare", TELL, mode);
            bench.install(&script(&bench, &path, &["x"])).unwrap();
            assert!(told(&bench).contains("<x>"), "{}", told(&bench));
            std::fs::remove_file(bench.home("told")).unwrap();
        }
    }

    #[test]
    fn a_missing_script_and_one_that_cannot_run_are_no_use_trying_again() {
        let mut bench = Bench::new();
        bench.file("dos.sh", "#!/bin/bash\r\necho hi\r\n", 0o755);
        bench.file("odd.sh", "#!/opt/none/zsh\n", 0o755);
        let cases =
            [("~/none.sh", "none.sh"), ("~", "not a file"), ("~/dos.sh", "Windows"), ("~/odd.sh", "/opt/none/zsh")];
        for (path, part) in cases {
            let failure = bench.install(&script(&bench, Path::new(path), &[])).unwrap_err();
            assert_eq!(failure.retry, Retry::Never, "{failure}");
            assert!(
                failure.text.contains(part) && failure.text.contains(bench.home("").to_str().unwrap()),
                "{failure}"
            );
        }
    }

    #[test]
    fn a_command_that_is_not_found_is_not_tried_again_and_another_failure_is() {
        let mut bench = Bench::new();
        assert_eq!(bench.install(&line(&bench, "no-such-program")).unwrap_err().retry, Retry::Never);
        assert_eq!(bench.install(&line(&bench, "exit 3")).unwrap_err().retry, Retry::Soon);
    }

    #[test]
    fn a_script_that_asks_a_question_gets_no_answer_instead_of_waiting_for_one() {
        let mut bench = Bench::new();
        bench.install(&line(&bench, "read answer || echo nothing; [ -t 0 ] && exit 1; exit 0")).unwrap();
        assert!(bench.reports.contains(&Report::Line("nothing".to_owned())), "{:?}", bench.reports);
    }

    #[test]
    fn a_working_folder_that_is_not_there_is_named() {
        let mut bench = Bench::new();
        let config = |directory: &str| Config {
            run: Some(TELL.to_owned()),
            directory: Some(directory.into()),
            ..Config::default()
        };
        let failure = bench.install(&part(&config("~/none"), &bench.place)).unwrap_err();
        assert!(failure.text.contains("home/none"), "{failure}");
        std::fs::create_dir(bench.home("there")).unwrap();
        bench.install(&part(&config("~/there"), &bench.place)).unwrap();
        assert!(told(&bench).ends_with("home/there\n"), "{}", told(&bench));
    }

    #[test]
    fn the_key_changes_with_the_script_and_tells_what_cannot_be_read_yet() {
        let bench = Bench::new();
        let part = script(&bench, Path::new("~/setup.sh"), &[]);
        let unread = part.installer.key();
        assert_eq!(unread["script"]["sha256"], Value::Null);
        bench.file("setup.sh", "one", 0o644);
        let one = part.installer.key();
        bench.file("setup.sh", "two", 0o644);
        assert!(one != unread && one != part.installer.key());
    }

    #[test]
    fn the_summary_is_what_one_would_type() {
        let bench = Bench::new();
        let part = script(&bench, Path::new("/opt/setup.sh"), &["--name=My Project"]);
        assert_eq!(part.installer.summary(), "/opt/setup.sh '--name=My Project'");
        assert_eq!(line(&bench, "make all\n").installer.summary(), "sh -c 'make all' 'a b'");
    }
}
