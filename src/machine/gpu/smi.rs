//! `nvidia-smi`: memory and load of the GPUs, which no file tells.
//!
//! On a sick GPU it hangs in the kernel, where no signal reaches it. It is killed then and never waited for, so that
//! whoever asks goes on; PID 1 takes it away, should it ever end.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Serialize;

use super::wsl;
use crate::trust::is_ours_alone;
use crate::words::clean;

/// How long it may take, for both attempts together.
pub const LIMIT: Duration = Duration::from_secs(2);

/// The most bytes that are read of its answer. A pipe holds as much.
const LONGEST: u64 = 64 * 1024;
/// The longest text that is taken from its answer, in characters.
const LONGEST_TEXT: usize = 120;

/// What is asked. Drivers before branch 450 do not know the field of MIG.
const FIELDS: &str =
    "index,uuid,name,memory.total,memory.used,utilization.gpu,temperature.gpu,mig.mode.current,driver_version";
const FIELDS_WITHOUT_MIG: &str =
    "index,uuid,name,memory.total,memory.used,utilization.gpu,temperature.gpu,driver_version";

/// A GPU as nvidia-smi sees it. What it does not tell (`[N/A]`) is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its index in CUDA, if CUDA_DEVICE_ORDER is PCI_BUS_ID.
    pub index: Option<u32>,
    /// `GPU-…`.
    pub uuid: Option<String>,
    /// The model.
    pub name: Option<String>,
    /// Memory, in MiB.
    pub memory_mib: Option<u64>,
    /// Memory in use, in MiB.
    pub memory_used_mib: Option<u64>,
    /// How busy it is, in percent.
    pub utilization_percent: Option<u32>,
    /// In degrees Celsius.
    pub temperature_c: Option<i32>,
    /// Whether it is divided into MIG instances.
    pub mig: Option<bool>,
    /// The driver's version.
    pub driver: Option<String>,
}

/// The nvidia-smi of this container: of PATH, or where it usually is.
#[must_use]
pub fn find() -> Option<PathBuf> {
    find_in(std::env::var_os("PATH").as_deref(), &[Path::new("/usr/bin"), Path::new(wsl::FOLDER)])
}

fn find_in(path: Option<&std::ffi::OsStr>, usual: &[&Path]) -> Option<PathBuf> {
    let in_path = std::env::split_paths(path.unwrap_or_default()).map(|folder| folder.join("nvidia-smi"));
    // What lies in a folder of somebody else must not be run as root.
    let in_path = in_path.filter(|candidate| candidate.is_absolute() && is_ours_alone(candidate));
    in_path.chain(usual.iter().map(|folder| folder.join("nvidia-smi"))).find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Asks it for all GPUs.
///
/// # Errors
/// Why there is no answer, and what to do; one line.
pub fn ask(program: &Path, limit: Duration) -> Result<Vec<Row>, String> {
    let deadline = Instant::now() + limit;
    let answer = run(program, FIELDS, deadline, limit)?;
    if answer.contains("not a valid field") {
        return parse(&run(program, FIELDS_WITHOUT_MIG, deadline, limit)?, false);
    }
    parse(&answer, true)
}

/// Runs it, and returns what it wrote, be it an answer or a complaint.
fn run(program: &Path, fields: &str, deadline: Instant, limit: Duration) -> Result<String, String> {
    let fault = |error: io::Error| format!("{}: {error}", program.display());
    let (mut answer, output) = io::pipe().map_err(fault)?;
    let mut command = Command::new(program);
    command.arg(format!("--query-gpu={fields}")).arg("--format=csv,noheader,nounits");
    command.stdin(Stdio::null()).stdout(output.try_clone().map_err(fault)?).stderr(output);
    // A group of its own: what it may have started goes with it.
    command.process_group(0);
    let mut child = command.spawn().map_err(fault)?;
    drop(command);
    while child.try_wait().map_err(fault)?.is_none() {
        if Instant::now() >= deadline {
            if let Ok(group) = i32::try_from(child.id()) {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            let seconds = limit.as_secs();
            return Err(format!(
                "nvidia-smi did not answer within {seconds} s: the GPU or its driver may be hung; restart the \
                 container, then the host"
            ));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // Something else may still hold the pipe open: what is in it is enough.
    fcntl(&answer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|error| fault(error.into()))?;
    let mut bytes = Vec::new();
    match (&mut answer).take(LONGEST).read_to_end(&mut bytes) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(fault(error)),
        _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Reads the lines of the answer. A GPU that has a complaint in place of its line does not hide the others.
fn parse(answer: &str, with_mig: bool) -> Result<Vec<Row>, String> {
    let rows: Vec<Row> = answer.lines().filter_map(|line| row(line, with_mig)).collect();
    if rows.is_empty() { Err(explain(answer)) } else { Ok(rows) }
}

fn row(line: &str, with_mig: bool) -> Option<Row> {
    let mut fields: Vec<&str> = line.split(',').map(str::trim).collect();
    if !with_mig {
        fields.insert(fields.len().checked_sub(1)?, "[N/A]");
    }
    let [index, uuid, name @ .., memory, used, load, temperature, mig, driver] = fields.as_slice() else { return None };
    let index: u32 = index.parse().ok()?;
    let name = name.join(", ");
    let text = |value: &str| (!is_none(value)).then(|| clean(value, LONGEST_TEXT));
    Some(Row {
        index: Some(index),
        uuid: text(uuid),
        name: text(&name),
        memory_mib: memory.parse().ok(),
        memory_used_mib: used.parse().ok(),
        utilization_percent: load.parse().ok(),
        temperature_c: temperature.parse().ok(),
        mig: match *mig {
            "Enabled" => Some(true),
            "Disabled" => Some(false),
            _ => None,
        },
        driver: text(driver),
    })
}

/// `[N/A]`, `[Not Supported]`, `[Unknown Error]`, `[GPU is lost]`, `[Insufficient Permissions]`, and without brackets.
fn is_none(value: &str) -> bool {
    value.is_empty() || value.starts_with('[') || ["N/A", "Not Supported", "Unknown Error"].contains(&value)
}

/// Complaints of nvidia-smi, and what they mean. The first one that fits counts.
const COMPLAINTS: [(&str, &str); 7] = [
    (
        "Driver/library version mismatch",
        "the host's driver was updated while the container ran: restart the host or reload the driver's module, then \
         the container",
    ),
    (
        "Failed to initialize NVML: Unknown Error",
        "the container has lost access to its GPUs, as after `systemctl daemon-reload` on the host: restart the container",
    ),
    ("No devices were found", "the driver has no GPU for this container: restart the container, then the host"),
    ("couldn't communicate with the NVIDIA driver", "the driver is not loaded on the host: load or install it there"),
    ("GPU is lost", "a GPU has fallen off the bus: restart the host"),
    ("Unable to determine the device handle", "a GPU does not answer: restart the container, then the host"),
    ("GPU access blocked", "Windows keeps the GPU from WSL: update Windows' driver, then run `wsl --shutdown` there"),
];

/// Says what a complaint means.
fn explain(answer: &str) -> String {
    let said = answer.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("nothing");
    let meaning = COMPLAINTS.iter().find(|(words, _)| answer.contains(words));
    let meaning = meaning.map(|(_, meaning)| format!("; {meaning}")).unwrap_or_default();
    format!("nvidia-smi says: {}{meaning}", clean(said, LONGEST_TEXT))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An nvidia-smi that is a shell script.
    fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nvidia-smi");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (folder, path)
    }

    /// A file that was just written cannot be executed while a test in another thread forks with it still open.
    fn asked(program: &Path, limit: Duration) -> Result<Vec<Row>, String> {
        loop {
            match ask(program, limit) {
                Err(why) if why.contains("Text file busy") => std::thread::sleep(Duration::from_millis(5)),
                other => return other,
            }
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn an_answer_is_read_even_if_something_keeps_the_pipe_open() {
        let line = "0, GPU-a, NVIDIA H100, 81559, 4, 0, 29, Disabled, 550.54.14";
        let (_folder, program) = script(&format!("echo '{line}'\nsleep 3 &"));
        let rows = asked(&program, LONG).unwrap();
        let row = Row {
            index: Some(0),
            uuid: Some("GPU-a".to_owned()),
            name: Some("NVIDIA H100".to_owned()),
            memory_mib: Some(81559),
            memory_used_mib: Some(4),
            utilization_percent: Some(0),
            temperature_c: Some(29),
            mig: Some(false),
            driver: Some("550.54.14".to_owned()),
        };
        assert_eq!(rows, [row]);
    }

    #[test]
    fn one_that_hangs_is_left_behind() {
        let (_folder, program) = script("trap '' TERM\nsleep 1000");
        let begin = Instant::now();
        let why = asked(&program, Duration::from_millis(300)).unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(30));
        assert!(why.contains("did not answer within 0 s: the GPU or its driver may be hung"), "{why}");
    }

    #[test]
    fn an_old_one_is_asked_again_without_the_field_that_it_does_not_know() {
        let (_folder, program) = script(
            "case $* in *mig*) echo 'Field \"mig.mode.current\" is not a valid field to query.'; exit 2 ;; esac\n\
             echo '0, GPU-a, Tesla K80, 11441, 0, [Not Supported], 35, 390.157'",
        );
        let rows = asked(&program, LONG).unwrap();
        assert_eq!((rows[0].memory_mib, rows[0].utilization_percent, rows[0].mig), (Some(11441), None, None));
        assert_eq!(rows[0].driver.as_deref(), Some("390.157"));
    }

    #[test]
    fn complaints_are_explained() {
        for (said, meaning) in [
            ("Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.54", "was updated"),
            ("Failed to initialize NVML: Unknown Error", "lost access to its GPUs"),
            ("No devices were found", "no GPU for this container"),
            (
                "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest",
                "not loaded on the host",
            ),
            (
                "Unable to determine the device handle for GPU 0000:0B:00.0: GPU is lost.  Reboot the system",
                "fallen off",
            ),
            ("Unable to determine the device handle for GPU0: 0000:0B:00.0: Unknown Error", "does not answer"),
            ("Failed to initialize NVML: GPU access blocked by the operating system", "WSL"),
        ] {
            let why = parse(said, true).unwrap_err();
            assert!(why.starts_with("nvidia-smi says: ") && why.contains(meaning), "{why}");
        }
        assert_eq!(parse("", true).unwrap_err(), "nvidia-smi says: nothing");
        assert_eq!(parse("\u{1b}[2Jx", true).unwrap_err(), "nvidia-smi says: ?[2Jx");
    }

    #[test]
    fn what_is_not_told_is_none_and_one_gpu_s_fault_does_not_hide_the_others() {
        let rows = parse(
            "Unable to determine the device handle for GPU0: 0000:07:00.0: Unknown Error\n\
             1, GPU-b, A, B, [N/A], [GPU is lost], [Unknown Error], N/A, [N/A], 550.54.14\n",
            true,
        )
        .unwrap();
        let row = Row {
            index: Some(1),
            uuid: Some("GPU-b".to_owned()),
            name: Some("A, B".to_owned()),
            driver: Some("550.54.14".to_owned()),
            ..Row::default()
        };
        assert_eq!(rows, [row]);
    }

    #[test]
    fn it_is_found_in_the_path_and_where_it_usually_is() {
        let (folder, program) = script("true");
        let nowhere = Path::new("/nonexistent");
        assert_eq!(find_in(Some(folder.path().as_os_str()), &[nowhere]), Some(program.clone()));
        assert_eq!(find_in(None, &[nowhere, folder.path()]), Some(program.clone()));
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(find_in(Some(folder.path().as_os_str()), &[folder.path()]), None);
        // A folder that everyone can write to, and that is not as /tmp is.
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(find_in(Some(folder.path().as_os_str()), &[nowhere]), None);
    }
}
