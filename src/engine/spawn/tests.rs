//! With real processes: what a service finds is what its spec says.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{getegid, geteuid};

use super::*;
use crate::engine::spec::{Identity, Kind};

/// A launcher, and a folder for what services write.
struct World {
    launcher: Launcher,
    folder: tempfile::TempDir,
}

/// What became of a service.
#[derive(Debug, PartialEq)]
struct Outcome {
    code: i32,
    said: String,
    failure: Option<End>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { launcher: Launcher::new().unwrap(), folder }
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn outcome(&mut self, pid: Pid, service: &Service, output: &Path) -> Outcome {
        let code = match waitpid(NixPid::from_raw(pid), None).unwrap() {
            WaitStatus::Exited(_, code) => code,
            WaitStatus::Signaled(_, signal, _) => -(signal as i32),
            status => panic!("{status:?}"),
        };
        let failure = self.launcher.failure(pid, service);
        Outcome { code, said: fs::read_to_string(output).unwrap(), failure }
    }

    /// Runs a service with its output in a file.
    fn run_with(&mut self, service: &Service, attachments: Attachments<'_>) -> Outcome {
        let path = self.folder.path().join("output");
        let file = File::create(&path).unwrap();
        let output = Some([file.as_fd(), file.as_fd()]);
        let pid = self.launcher.launch(service, Attachments { output, ..attachments }).unwrap();
        self.outcome(pid, service, &path)
    }

    fn run(&mut self, service: &Service) -> Outcome {
        self.run_with(service, Attachments::default())
    }

    /// What a service says that can be started.
    fn said(&mut self, service: &Service) -> String {
        let outcome = self.run(service);
        assert_eq!((outcome.code, &outcome.failure), (0, &None), "{}", outcome.said);
        outcome.said
    }

    /// Why a service cannot be started.
    fn refusal(&mut self, service: &Service) -> String {
        let outcome = self.run(service);
        match outcome.failure {
            Some(End::NotExecuted(code, why)) if code == outcome.code => why,
            _ => panic!("{outcome:?}"),
        }
    }
}

fn shell(script: &str) -> Service {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let environment = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    Service { environment, ..Service::new("shell", Kind::Daemon, command) }
}

/// Says the numbers of the shell's descriptors above the first three: without a program or a pipe, which would add some.
const DESCRIPTORS: &str = "i=3; while [ $i -lt 260 ]; do if [ -e /proc/$$/fd/$i ]; then echo $i; fi; i=$((i+1)); done";

fn user() -> Identity {
    Identity { uid: 3100, gid: 1100, groups: vec![1100] }
}

/// A test in a process of its own, of which it may change what it likes. The process has to return 0.
fn in_a_child(mut test: impl FnMut() -> bool) {
    let own = (geteuid().as_raw(), getegid().as_raw());
    assert_eq!(sys::as_user(own.0, own.1, &[], &mut || i32::from(!test())).unwrap(), 0);
}

/// A capability set of /proc/self/status, as a service shows it.
fn set(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

#[test]
fn output_goes_where_it_is_told_to_and_nothing_but_the_first_three_descriptors_is_there() {
    in_a_child(|| {
        let mut world = World::new();
        // One that devinit was started with, as a runtime may leave it open.
        let leaked = File::open("/dev/null").unwrap();
        sys::pass_on(leaked.as_fd(), 250).unwrap();
        world.said(&shell(&format!("echo out; echo err >&2; {DESCRIPTORS}"))) == "out\nerr\n"
    });
}

#[test]
fn a_service_in_the_foreground_keeps_the_output_of_the_engine() {
    let mut world = World::new();
    if world.launcher.terminal {
        return; // It would get the terminal.
    }
    let path = world.file("seen", "");
    let script = format!("x=$(readlink /proc/$$/fd/1); echo \"$x\" > {}", path.display());
    let outcome = world.run(&Service { foreground: true, ..shell(&script) });
    assert_eq!((outcome.code, outcome.said.as_str()), (0, ""));
    assert_eq!(
        fs::read_to_string(&path).unwrap().trim_end(),
        fs::read_link("/proc/self/fd/1").unwrap().to_str().unwrap()
    );
}

#[test]
fn what_a_service_notifies_over_is_told_to_it_alone_and_the_containers_own_is_not() {
    let mut world = World::new();
    let script = "echo \"${NOTIFY_SOCKET-none} ${WATCHDOG_USEC-none} ${WATCHDOG_PID-none} $$\"";
    let mut service = shell(script);
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        service.environment.insert(name.to_owned(), "of the container".to_owned());
    }
    assert!(world.said(&service).starts_with("none none none "));

    let with = Attachments { notify_socket: Some(Path::new("/run/x")), ..Attachments::default() };
    assert!(world.run_with(&service, with).said.starts_with("/run/x none none "));

    service.watchdog = Some(Duration::from_millis(1500));
    let said = world.run_with(&service, with).said;
    let words: Vec<_> = said.split_whitespace().collect();
    assert_eq!(words[..2], ["/run/x", "1500000"]);
    assert_eq!(words[2], words[3]);
}

#[test]
fn the_notification_descriptor_has_its_number_whoever_had_it_before() {
    let mut world = World::new();
    let report = world.launcher.failures.borrow().report.as_raw_fd();
    let null = world.launcher.null.as_raw_fd();
    let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    let mut read = File::from(read);
    for number in [3, 5, 200, report, null, write.as_raw_fd()] {
        let service = shell(&format!("echo >/proc/$$/fd/{number}; {DESCRIPTORS}"));
        let with = Attachments { notify_descriptor: Some((write.as_fd(), number)), ..Attachments::default() };
        let outcome = world.run_with(&service, with);
        assert_eq!((outcome.code, outcome.said.trim_end()), (0, number.to_string().as_str()));
        let mut newline = [0u8; 1];
        std::io::Read::read_exact(&mut read, &mut newline).unwrap();
        assert_eq!(newline, *b"\n");
        // And what cannot be run can still say so.
        let missing = Service::new("missing", Kind::Daemon, vec!["/no/such/program".to_owned()]);
        let failure = world.run_with(&missing, with).failure;
        assert_eq!(
            failure,
            Some(End::NotExecuted(127, "cannot run /no/such/program: No such file or directory".to_owned()))
        );
    }
}

#[test]
fn settings_hold_for_the_process() {
    let mut world = World::new();
    let mut service = shell("umask; nice; cat /proc/self/oom_score_adj; ulimit -Sn; ulimit -Hn; ulimit -c");
    let ours = fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse::<i32>().unwrap();
    service.settings.umask = Some(0o027);
    service.settings.nice = Some(7);
    service.settings.oom_score_adj = Some((ours + 100).min(1000));
    service.settings.limits = vec![(7, 100, 200), (4, 0, 0)];
    let said = world.said(&service);
    let expected = ["0027", "7", &(ours + 100).min(1000).to_string(), "100", "200", "0"].join("\n");
    assert_eq!(said.trim_end(), expected);
}

#[test]
fn settings_that_need_rights_are_made_before_the_user_is_changed() {
    if !geteuid().is_root() {
        return;
    }
    let mut world = World::new();
    let held = set(&fs::read_to_string("/proc/self/status").unwrap(), "CapEff");
    let mut service = shell("id -u; nice; cat /proc/self/oom_score_adj; ulimit -Hn");
    service.identity = Some(user());
    let (_, mut hard) = sys::limit(7).unwrap();
    let mut oom = fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse::<i32>().unwrap();
    let mut nice = 3;
    if held & (1 << 23) != 0 {
        nice = -3; // CAP_SYS_NICE
    }
    if held & (1 << 24) != 0 {
        (hard, oom) = (hard + 1, oom - 10); // CAP_SYS_RESOURCE
    }
    service.settings.nice = Some(nice);
    service.settings.oom_score_adj = Some(oom);
    service.settings.limits = vec![(7, 100, hard)];
    assert_eq!(world.said(&service).trim_end(), format!("3100\n{nice}\n{oom}\n{hard}"));
}

#[test]
fn capabilities_are_dropped_from_all_sets_and_new_privileges_forbidden() {
    if !geteuid().is_root() {
        return;
    }
    let mut world = World::new();
    let mut service = shell("cat /proc/self/status");
    service.settings.dropped_capabilities = vec![13, 1, 6, 7, 8, 63];
    let before = fs::read_to_string("/proc/self/status").unwrap();
    let dropped = [13u32, 1, 6, 7, 8].iter().fold(0u64, |all, number| all | (1 << number));
    // For one that stays root, and for one that does not, although its change of user needs some of them.
    for identity in [None, Some(user())] {
        let status = world.said(&Service { identity: identity.clone(), ..service.clone() });
        assert_eq!(set(&status, "CapBnd"), set(&before, "CapBnd") & !dropped);
        let effective = if identity.is_none() { set(&before, "CapEff") & !dropped } else { 0 };
        assert_eq!((set(&status, "CapEff"), set(&status, "CapPrm")), (effective, effective));
        assert_eq!(set(&status, "NoNewPrivs"), 0);
    }
    service.settings.dropped_capabilities = (0..64).collect();
    service.settings.no_new_privileges = true;
    let status = world.said(&service);
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"].map(|name| set(&status, name));
    assert_eq!(sets, [0, 0, 0, 0, 0, 1]);
}

#[test]
fn what_cannot_be_set_keeps_the_service_from_starting_and_says_what_would_help() {
    if !geteuid().is_root() {
        return;
    }
    in_a_child(|| {
        // A container without any of these rights: SETPCAP, SYS_RESOURCE, SYS_NICE, SETUID.
        sys::lower_capabilities(&[8, 24, 23, 7]).unwrap();
        let mut world = World::new();
        let mut service = shell("true");
        service.settings.nice = Some(-5);
        let nice = world.refusal(&service);
        assert_eq!(
            nice,
            "cannot set nice to -5: Permission denied; give the container CAP_SYS_NICE (docker run --cap-add SYS_NICE)"
        );
        service.settings.nice = None;
        let ours = fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse::<i32>().unwrap();
        service.settings.oom_score_adj = Some(ours - 1);
        let oom = world.refusal(&service);
        assert!(oom.starts_with("cannot set oom_score_adj to ") && oom.contains("CAP_SYS_RESOURCE"), "{oom}");
        service.settings.oom_score_adj = None;

        let (_, hard) = sys::limit(7).unwrap();
        service.settings.limits = vec![(4, 0, 0), (7, 10, hard + 1)];
        let limit = world.refusal(&service);
        assert!(limit.starts_with(&format!("cannot set the limit nofile to 10:{}: Operation not permitted", hard + 1)));
        assert!(
            limit.contains(&format!("the hard limit here is {hard}")) && limit.contains("--ulimit nofile="),
            "{limit}"
        );
        service.settings.limits = vec![(7, 20, 10)];
        assert_eq!(world.refusal(&service), "cannot set the limit nofile to 20:10: Invalid argument");
        service.settings.limits = Vec::new();

        service.identity = Some(user());
        let identity = world.refusal(&service);
        assert!(identity.starts_with("cannot become uid 3100: ") && identity.contains("CAP_SETUID"), "{identity}");
        service.identity = None;

        service.settings.dropped_capabilities = vec![13];
        let capabilities = world.refusal(&service);
        assert!(capabilities.contains("CAP_SETPCAP") && capabilities.contains("no_new_privileges"), "{capabilities}");
        // With it nothing comes back that is gone.
        service.settings.no_new_privileges = true;
        let service = Service { settings: service.settings, ..shell("cat /proc/self/status") };
        let status = world.said(&service);
        assert_eq!((set(&status, "CapEff") >> 13) & 1, 0);
        assert_eq!((set(&status, "CapPrm") >> 13) & 1, 0);
        true
    });
}

#[test]
fn environment_files_go_over_the_environment_in_their_order_and_are_read_at_each_start() {
    let mut world = World::new();
    let first = world.file("first", "# A\nA=1\nB=1\nNOTIFY_SOCKET=/x\n");
    let second = world.file("second", "export B=\"2 3\"\r\n");
    let mut service = shell("echo \"$A,$B,$C,$NOTIFY_SOCKET\"");
    service.environment.extend([("A", "0"), ("C", "0")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    service.environment_files = vec![first.clone(), second];
    assert_eq!(world.said(&service), "1,2 3,0,\n");
    fs::write(first, "A=new").unwrap();
    assert_eq!(world.said(&service), "new,2 3,0,\n");
}

#[test]
fn a_program_is_looked_up_in_the_path_of_an_environment_file() {
    let mut world = World::new();
    let program = world.file("only-here", "#!/bin/sh\necho found\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let file = world.file("environment", &format!("PATH={}", world.folder.path().display()));
    let mut service = Service { command: vec!["only-here".to_owned()], ..shell("") };
    assert_eq!(world.refusal(&service), "cannot run only-here: No such file or directory");
    service.environment_files = vec![file];
    assert_eq!(world.said(&service), "found\n");
}

#[test]
fn an_environment_file_that_cannot_be_read_says_which_and_where_and_never_what() {
    let mut world = World::new();
    let good = world.file("good", "A=1");
    let bad = world.file("bad", "A=1\nsecret words\n");
    let missing = world.folder.path().join("missing");
    let mut service = shell("true");
    service.environment_files = vec![good.clone(), missing.clone()];
    let missing = missing.display();
    assert_eq!(world.refusal(&service), format!("cannot read environment file {missing}: No such file or directory"));
    service.environment_files = vec![good.clone(), bad.clone()];
    let expected = "line 2: expected NAME=VALUE, a comment (#) or a blank line";
    assert_eq!(world.refusal(&service), format!("environment file {}, {expected}", bad.display()));
    service.environment_files = vec!["/dev/zero".into()];
    assert_eq!(world.refusal(&service), "cannot read environment file /dev/zero: it is not a regular file");
}

#[test]
fn an_environment_file_is_read_as_the_user_of_the_service() {
    if !geteuid().is_root() {
        return;
    }
    let mut world = World::new();
    let secret = world.file("secret", "A=1");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let link = world.folder.path().join("link");
    symlink(&secret, &link).unwrap();
    let mut service = shell("echo $A");
    service.environment_files = vec![link.clone()];
    assert_eq!(world.said(&service), "1\n");
    service.identity = Some(user());
    let expected = "Permission denied; it is read as the service's user, uid 3100";
    assert_eq!(world.refusal(&service), format!("cannot read environment file {}: {expected}", link.display()));
}

#[test]
fn a_finish_command_is_told_how_the_service_ended() {
    let mut world = World::new();
    let file = world.file("environment", "A=1");
    let mut service = shell("true");
    service.environment_files = vec![file];
    service.directory = Some("/".into());
    service.settings.nice = Some(4);
    let script = "echo \"$1 $2 $3 $A $(nice) $(pwd)\"; [ \"$(ps -o sid= -p $$ 2>/dev/null || echo $$)\" -eq $$ ]";
    service.finish = Some(["/bin/sh", "-c", script, "finish"].map(str::to_owned).to_vec());
    let output = world.folder.path().join("finish");
    for (end, told) in [
        (End::Code(3), "3 0 shell"),
        (End::Signal(9), "256 9 shell"),
        (End::NotExecuted(127, "why".to_owned()), "127 0 shell"),
    ] {
        let file = File::create(&output).unwrap();
        let with = Attachments { output: Some([file.as_fd(); 2]), ..Attachments::default() };
        let pid = world.launcher.launch_finish(&service, &end, with).unwrap();
        let outcome = world.outcome(pid, &service, &output);
        assert_eq!(outcome, Outcome { code: 0, said: format!("{told} 1 4 /\n"), failure: None });
    }
    service.finish = Some(vec!["/no/such/finish".to_owned()]);
    let pid = world.launcher.launch_finish(&service, &End::Code(0), Attachments::default()).unwrap();
    let why = "cannot run /no/such/finish: No such file or directory".to_owned();
    assert_eq!(world.outcome(pid, &service, &output).failure, Some(End::NotExecuted(127, why)));
    service.finish = None;
    assert!(world.launcher.launch_finish(&service, &End::Code(0), Attachments::default()).is_err());
}

#[test]
fn children_that_fail_together_each_have_their_reason_told() {
    let mut world = World::new();
    let missing = |name: &str| Service::new(name, Kind::Daemon, vec![format!("/no/such/{name}")]);
    let services = ["a", "b", "c"].map(missing);
    let pids = services.each_ref().map(|service| world.launcher.launch(service, Attachments::default()).unwrap());
    for pid in pids {
        waitpid(NixPid::from_raw(pid), None).unwrap();
    }
    for (pid, service) in pids.into_iter().zip(&services).rev() {
        let why = format!("cannot run {}: No such file or directory", service.command[0]);
        assert_eq!(world.launcher.failure(pid, service), Some(End::NotExecuted(127, why)));
        assert_eq!(world.launcher.failure(pid, service), None);
    }
}

#[test]
fn a_word_that_no_program_can_be_given_is_told_at_once() {
    let world = World::new();
    let service = Service::new("nul", Kind::Daemon, vec!["/bin/true".to_owned(), "a\0b".to_owned()]);
    assert!(world.launcher.launch(&service, Attachments::default()).is_err());
}

#[test]
fn what_stands_in_the_way_of_a_program_is_told() {
    let mut world = World::new();
    let mut refused = |name: &str, content: &str, mode: u32| {
        let path = world.file(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let command = vec![path.to_str().unwrap().to_owned()];
        world.refusal(&Service { command, ..shell("") })
    };
    let why = refused("crlf", "#!/bin/sh\r\nexit 0\r\n", 0o755);
    assert!(why.contains("it is there") && why.contains("CR LF"), "{why}");
    let why = refused("plain", "#!/bin/sh\n", 0o644);
    assert!(why.contains("chmod +x"), "{why}");
    let command = vec![world.folder.path().to_str().unwrap().to_owned()];
    let why = world.refusal(&Service { command, ..shell("") });
    assert!(why.ends_with("it is a folder"), "{why}");
}

#[test]
fn an_engine_that_needs_many_descriptors_gives_services_the_limit_that_it_was_started_with() {
    in_a_child(|| {
        let hard = sys::limit(NOFILE).unwrap().1.min(2000);
        sys::set_limit(NOFILE, 200, hard).unwrap();
        let mut world = World::new();
        world.launcher.make_room(1);
        assert_eq!(sys::limit(NOFILE).unwrap(), (200, hard), "there was room enough");
        world.launcher.make_room(100);
        assert_eq!(sys::limit(NOFILE).unwrap(), (728.min(hard), hard));
        world.launcher.make_room(10_000);
        assert_eq!(sys::limit(NOFILE).unwrap(), (hard, hard));
        let mut service = shell("ulimit -S -n; ulimit -H -n");
        assert_eq!(world.said(&service), format!("200\n{hard}\n"));
        service.settings.limits = vec![(NOFILE, 300, 400)];
        assert_eq!(world.said(&service), "300\n400\n");
        true
    });
}
