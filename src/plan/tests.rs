use std::path::Path;
use std::time::Duration;

use super::*;
use crate::engine::spec::{
    Backoff, By, Form, Identity, Kind, Log, LogFile, Readiness, Restart, Service, Settings, When,
};
use crate::prepare::accounts::Database;
use crate::probe::{Http, Probe};

/// To the container's output, as it is.
const RAW: Log = Log { output: Some(Form::Raw), file: None };

pub(super) const PASSWD: &str =
    "root:x:0:0::/root:/bin/sh\npeid:x:3100:1100::/home/peid:/bin/bash\nother:x:3200:3200::/o:/bin/sh\n";
const TOOLS: &str = "/home/peid/.local/bin:/home/peid/.pixi/bin";
/// What `as: root` brings: nobody but root can write there.
const SHARED: &str = "/usr/local/bin:/usr/local/share/bun/bin";
const STEPS: &str = "{pixi: {}}, {bun: {as: root}}, {codex: {}}";

/// The plan of root for a config, without its version, on a machine with these accounts.
pub(crate) fn plan(config: &str, passwd: &str, runtime: &Path) -> Plan {
    let facts = Facts { runtime: Some(runtime.to_owned()), ..facts(passwd) };
    resolve(&loaded(config), &facts, None)
}

pub(super) fn facts(passwd: &str) -> Facts {
    let database = Database { passwd: Some(passwd.as_bytes().to_vec()), ..Database::default() };
    let environment = BTreeMap::from([("PATH", "/usr/bin:/bin"), ("HTTPS_PROXY", "http://proxy")]);
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Facts { root: true, program: PathBuf::from("/devinit"), database, environment, ..Facts::default() }
}

pub(super) fn loaded(config: &str) -> Loaded {
    let config = config.strip_prefix('{').unwrap();
    written(&format!("{{version: 1, users: {{root: {{}}, peid: {{uid: 3100}}}}, {config}"))
}

fn written(config: &str) -> Loaded {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("config.yaml");
    std::fs::write(&file, config).unwrap();
    config::load(&config::Sources::only(&file), &BTreeMap::new()).unwrap()
}

fn plan_of(config: &str) -> Plan {
    plan(config, PASSWD, Path::new("/run/devinit"))
}

pub(super) fn find<'a>(plan: &'a Plan, name: &str) -> Option<&'a Service> {
    plan.spec.services.iter().find(|service| service.name == name)
}

fn path_of<'a>(plan: &'a Plan, name: &str) -> &'a str {
    &find(plan, name).unwrap().environment["PATH"]
}

fn tools(config: &str, passwd: &str) -> Tools {
    tools_of(loaded(config), passwd)
}

fn tools_of(loaded: Loaded, passwd: &str) -> Tools {
    let facts = facts(passwd);
    let resolved =
        super::first_run::resolve(&loaded.config, &facts, &BTreeMap::new(), &facts.database, &mut Vec::new());
    resolved.as_ref().map(super::first_run::tools).unwrap_or_default()
}

#[test]
fn tools_are_in_the_home_of_whom_the_first_run_is_for() {
    let tools = |config: &str| tools(config, PASSWD);
    let steps = |user: &str| format!("{{first_run: {{user: {user}, steps: [{STEPS}]}}}}");
    let folders = |home: &str| [".local/bin", ".pixi/bin"].map(|folder| Path::new(home).join(folder)).to_vec();
    assert_eq!(tools(&steps("peid")), Tools::from([("peid".to_owned(), folders("/home/peid"))]));
    assert_eq!(tools(&steps("other")), Tools::from([("other".to_owned(), folders("/o"))]));
    assert_eq!(tools(&steps("root")), Tools::from([("root".to_owned(), folders("/root"))]));
    assert_eq!(tools(&steps("nobody-there")), Tools::new());
    assert_eq!(tools("{first_run: {user: peid}}"), Tools::new());
    let bun = tools("{first_run: {steps: [{bun: {}}]}}");
    assert_eq!(bun["peid"].last().unwrap(), Path::new("/home/peid/.bun/bin"), "the only user besides root");
}

#[test]
fn without_one_other_user_it_is_for_root() {
    let two = written("{version: 1, users: {a: {}, b: {}}, first_run: {steps: [{uv: {}}]}}");
    assert_eq!(tools_of(two, PASSWD).into_keys().collect::<Vec<_>>(), ["root"]);
}

#[test]
fn a_home_that_path_cannot_hold_brings_no_folder() {
    let passwd = "root:x:0:0::/root:/bin/sh\npeid:x:3100:1100::relative:/bin/sh\n";
    assert_eq!(tools("{first_run: {user: peid, steps: [{uv: {}}]}}", passwd), Tools::new());
}

#[test]
fn what_runs_as_the_user_has_the_tools_in_front_of_path_and_all_have_those_for_everyone() {
    let plan = plan_of(&format!(
        "{{first_run: {{user: peid, steps: [{STEPS}]}}, app: {{command: [a], user: peid}}, hooks: {{on_boot: [[h]]}}, services: {{\
         as-root: {{command: [a]}}, as-root-too: {{command: [a], user: root}}, as-other: {{command: [a], user: other}}, \
         by-number: {{command: [a], user: '3100'}}, own: {{command: [a], user: peid, environment: {{PATH: /own}}}}}}}}",
    ));
    for name in ["app", "by-number"] {
        assert_eq!(path_of(&plan, name), format!("{TOOLS}:{SHARED}:/usr/bin:/bin"), "{name}");
    }
    assert_eq!(path_of(&plan, "own"), "/own");
    for name in ["as-root", "as-root-too", "as-other", "on-boot-1"] {
        assert_eq!(path_of(&plan, name), format!("{SHARED}:/usr/bin:/bin"), "{name}");
    }
    assert_eq!(path_of(&plan, FIRST_RUN), "/usr/bin:/bin");
    let config = "{path: [/opt/bin], first_run: {steps: [{pixi: {as: root}}]}, app: {command: [a]}}";
    let first = "/opt/bin:/usr/local/bin:/usr/local/share/pixi/bin:/usr/bin:/bin";
    assert_eq!(path_of(&plan_of(config), APP), first, "the config's own go first");
}

#[test]
fn tools_of_root_are_for_what_runs_as_root() {
    let config = "{first_run: {user: root, steps: [{uv: {}}]}, app: {command: [a]}, \
                  services: {x: {command: [a], user: peid}}}";
    let plan = plan_of(config);
    assert_eq!(path_of(&plan, APP), "/root/.local/bin:/usr/bin:/bin");
    assert_eq!(path_of(&plan, "x"), "/usr/bin:/bin");
    let facts = Facts { main: vec!["bash".to_owned()], ..facts(PASSWD) };
    assert_eq!(path_of(&resolve(&loaded(config), &facts, None), MAIN), "/root/.local/bin:/usr/bin:/bin");
}

#[test]
fn the_first_run_is_a_service_that_sees_what_the_boot_sees_and_nothing_waits_for_it() {
    let config = loaded(&format!(
        "{{first_run: {{steps: [{STEPS}]}}, hooks: {{on_boot: [[h]]}}, app: {{command: [a]}}, services: {{x: {{command: [a]}}}}}}"
    ));
    let facts = Facts { config: Some(PathBuf::from("/c.yaml")), ..facts(PASSWD) };
    let plan = resolve(&config, &facts, None);
    let first_run = find(&plan, FIRST_RUN).unwrap();
    assert_eq!(first_run.command, ["/devinit", "first-run", "--boot", "--config", "/c.yaml"]);
    assert_eq!(first_run.environment, facts.environment);
    assert_eq!((first_run.kind, first_run.restart), (Kind::Oneshot, Restart::Never));
    assert_eq!(first_run.stop_timeout.as_secs(), 3);
    assert_eq!(first_run.stop_order, find(&plan, "x").unwrap().stop_order);
    for name in [FIRST_RUN, "x", APP] {
        assert_eq!(find(&plan, name).unwrap().settled, ["on-boot-1"], "{name}");
    }
}

#[test]
fn the_app_waits_for_a_first_run_that_blocks_it() {
    let plan = plan_of(&format!(
        "{{first_run: {{blocks_app: true, steps: [{STEPS}]}}, hooks: {{on_boot: [[h]]}}, app: {{command: [a]}}, services: {{x: {{command: [a]}}}}}}"
    ));
    assert_eq!(find(&plan, APP).unwrap().settled, [FIRST_RUN]);
    assert_eq!(find(&plan, "x").unwrap().settled, ["on-boot-1"]);
    let plan = plan_of("{first_run: {blocks_app: true}, app: {command: [a]}}");
    assert!(find(&plan, FIRST_RUN).is_none() && find(&plan, APP).unwrap().settled.is_empty());
}

#[test]
fn beside_a_main_command_there_is_a_first_run_only_if_that_waits_for_it() {
    for (blocks_app, settled) in [(false, None), (true, Some([FIRST_RUN.to_owned()].to_vec()))] {
        let config = loaded(&format!("{{first_run: {{blocks_app: {blocks_app}, steps: [{STEPS}]}}}}"));
        let facts = Facts { main: vec!["nvidia-smi".to_owned()], ..facts(PASSWD) };
        let plan = resolve(&config, &facts, None);
        assert_eq!(find(&plan, FIRST_RUN).is_some(), blocks_app);
        assert_eq!(find(&plan, MAIN).unwrap().settled, settled.unwrap_or_default());
        let told =
            plan.record.notes.iter().any(|note| note.level == Level::Info && note.text.contains("devinit first-run"));
        assert_eq!(told, !blocks_app, "{:?}", plan.record.notes);
        assert!(plan.first_run.is_some(), "it can be begun by hand");
    }
}

#[test]
fn in_rescue_nothing_is_installed() {
    let plan = resolve(&loaded(&format!("{{first_run: {{steps: [{STEPS}]}}}}")), &facts(PASSWD), Some("x".to_owned()));
    assert!(plan.first_run.is_none() && find(&plan, FIRST_RUN).is_none());
}

#[test]
fn progress_is_left_by_those_that_exist_and_can_be_reached() {
    let config = loaded("{first_run: {user: other, steps: [{uv: {}}]}}");
    let names = |facts: &Facts| {
        let accounts = resolve(&config, facts, None).first_run.unwrap().accounts;
        accounts.into_iter().map(|account| account.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&facts(PASSWD)), ["other", "peid", "root"]);
    assert_eq!(names(&Facts { root: false, uid: 3200, ..facts(PASSWD) }), ["other"]);
}

#[test]
fn the_plan_shows_the_path_of_users_with_tools_and_the_steps() {
    let plan = plan_of(&format!("{{first_run: {{user: peid, steps: [{STEPS}]}}}}"));
    let text = super::text(&plan);
    assert!(text.contains(&format!("PATH\n  peid: {TOOLS}:{SHARED}:/usr/bin:/bin\n")), "{text}");
    assert!(
        text.contains("first run for peid\n  pixi: pixi latest\n  bun: bun latest\n  codex: codex latest\n"),
        "{text}"
    );
    let json = super::json(&plan);
    assert_eq!(json["path"]["peid"], format!("{TOOLS}:{SHARED}:/usr/bin:/bin"));
    assert_eq!(json["first_run"]["user"], "peid");
    assert_eq!(json["first_run"]["steps"][1], "bun: bun latest");
    assert!(super::text(&plan_of("{app: {command: [a]}}")).lines().all(|line| line != "PATH"));
}

/// A service `x` with these keys beside its command.
fn of_service(keys: &str) -> Service {
    of_service_or_note(keys).unwrap()
}

fn of_service_or_note(keys: &str) -> Result<Service, String> {
    let group = Some(b"root:x:0:\nvideo:x:44:peid\nrender:x:105:\n".to_vec());
    let facts = facts(PASSWD);
    let facts = Facts { database: Database { group, ..facts.database.clone() }, ..facts };
    let plan = resolve(&loaded(&format!("{{services: {{x: {{command: [a], {keys}}}}}}}")), &facts, None);
    let note = || plan.record.notes.iter().map(|note| note.text.clone()).collect::<Vec<_>>().join("; ");
    find(&plan, "x").cloned().ok_or_else(note)
}

#[test]
fn a_service_with_nothing_said_about_it_is_as_the_engine_has_it() {
    let plain = of_service("");
    let environment = plain.environment.clone();
    let usual = Service {
        environment,
        stop_order: 1,
        restart: Restart::OnFailure,
        ..Service::new("x", Kind::Daemon, vec!["a".to_owned()])
    };
    assert_eq!(plain, Service { log: Some(RAW), ..usual });
}

#[test]
fn everything_that_a_service_can_be_told_reaches_the_engine() {
    let secs = Duration::from_secs;
    let service = of_service(
        "watchdog: 30s, backoff: {first: 1s, longest: 2s, stable: 3s, give_up_after: 0}, finish: 'rm x', policy: critical, \
         environment_files: [/a, /b], umask: 027, nice: -5, oom_score_adj: 500, limits: {nofile: '1:2', core: 1KiB}, \
         drop_capabilities: [net_raw, CAP_CHOWN, NET_RAW], no_new_privileges: true, stop: {signal: INT, timeout: 1s}, \
         ready: {notify: true, timeout: 9s}, log: {to: both, format: json, keep: 2}, manual: true, restart: always",
    );
    assert_eq!((service.kind, service.when, service.critical), (Kind::Daemon, When::Asked, true));
    assert_eq!(service.watchdog, Some(secs(30)));
    assert_eq!(service.backoff, Backoff { first: secs(1), longest: secs(2), stable: secs(3), give_up_after: None });
    assert_eq!(service.finish.unwrap(), ["/bin/sh", "-c", "rm x", "finish"]);
    assert_eq!(service.environment_files, [Path::new("/a"), Path::new("/b")]);
    let settings = Settings {
        umask: Some(0o27),
        nice: Some(-5),
        oom_score_adj: Some(500),
        limits: vec![(4, 1024, 1024), (7, 1, 2)],
        dropped_capabilities: vec![0, 13],
        no_new_privileges: true,
    };
    assert_eq!(service.settings, settings);
    assert_eq!(service.ready, Some(Readiness { by: By::Notify, timeout: Some(secs(9)) }));
    assert_eq!((service.stop_signal, service.stop_timeout, service.restart), (2, secs(1), Restart::Always));
    let path = PathBuf::from("/var/log/devinit/x.log");
    let file = Some(LogFile { path, size: 10 << 20, keep: 2, json: true });
    assert_eq!(service.log, Some(Log { output: Some(Form::Json), file }));
}

#[test]
fn what_runs_once_or_again_and_again_is_a_oneshot() {
    let once = of_service("oneshot: true, timeout: 5m");
    assert_eq!((once.kind, once.when, once.run_limit), (Kind::Oneshot, When::Boot, Some(Duration::from_secs(300))));
    let every = of_service("every: 10m");
    assert_eq!((every.kind, every.when), (Kind::Oneshot, When::Every(Duration::from_secs(600))));
    let at = of_service("every: '30 3 * * mon'");
    assert!(at.kind == Kind::Oneshot && matches!(at.when, When::At(_)), "{at:?}");
    assert_eq!(of_service("manual: true, oneshot: true").kind, Kind::Oneshot);
}

#[test]
fn every_way_to_be_ready_reaches_the_engine() {
    let ready = |keys: &str| of_service(&format!("ready: {{{keys}}}")).ready.unwrap().by;
    let http = Http {
        url: "http://a/".to_owned(),
        status: Some((200, 299)),
        body: Some("ok".to_owned()),
        host: Some("b".to_owned()),
    };
    assert_eq!(ready("http: 'http://a/', status: 200-299, body: ok, host: b"), By::Probe(Probe::Http(http)));
    assert_eq!(ready("tcp: 1"), By::Probe(Probe::Tcp(1)));
    assert_eq!(ready("path: /x"), By::Probe(Probe::Path("/x".into())));
    assert_eq!(ready("command: [x]"), By::Probe(Probe::Command(vec!["x".to_owned()])));
    assert_eq!(ready("fd: 3"), By::Descriptor(3));
}

#[test]
fn groups_stand_in_place_of_those_that_the_user_has() {
    let identity = |keys: &str| of_service(keys).identity.map(|Identity { uid, gid, groups }| (uid, gid, groups));
    assert_eq!(identity("user: peid"), Some((3100, 1100, vec![1100, 44])));
    assert_eq!(identity("user: peid, groups: [render, '7']"), Some((3100, 1100, vec![1100, 105, 7])));
    assert_eq!(identity("user: peid, groups: []"), Some((3100, 1100, vec![1100])));
    assert_eq!(identity("groups: [video]"), Some((0, 0, vec![0, 44])), "root, in that group");
    assert_eq!(identity(""), None);
    let why = of_service_or_note("user: peid, groups: [vidoe]").unwrap_err();
    assert!(why.contains("x is not started: there is no group vidoe"), "{why}");
}

#[test]
fn groups_that_cannot_be_set_are_told_of_and_the_service_runs() {
    let facts = Facts { root: false, uid: 3200, ..facts(PASSWD) };
    let plan = resolve(&loaded("{services: {x: {command: [a], groups: ['7']}}}"), &facts, None);
    assert_eq!(find(&plan, "x").unwrap().identity, None);
    let note = |note: &Note| note.level == Level::Warning && note.text.contains("x has the groups that devinit has");
    assert!(plan.record.notes.iter().any(note), "{:?}", plan.record.notes);
}

#[test]
fn the_config_s_umask_goes_over_the_variable() {
    let facts = Facts { umask: Some(0o77), ..facts(PASSWD) };
    let config = "{app: {command: [a], umask: 002}, services: {x: {command: [a]}}}";
    let plan = resolve(&loaded(config), &facts, None);
    let umask = |name: &str| find(&plan, name).unwrap().settings.umask;
    assert_eq!((umask(APP), umask("x")), (Some(0o2), Some(0o77)));
}

#[test]
fn all_output_goes_by_way_of_the_logger_but_that_of_the_main_command() {
    let config = "{first_run: {blocks_app: true, steps: [{uv: {}}]}, hooks: {on_boot: [[h]]}, services: {x: {command: [a]}}, \
                  app: {command: [a], page: true}}";
    for main in [vec![], vec!["bash".to_owned()]] {
        let plan = resolve(&loaded(config), &Facts { main, ..facts(PASSWD) }, None);
        for service in &plan.spec.services {
            assert_eq!(service.log, (service.name != MAIN).then_some(RAW), "{}", service.name);
        }
    }
}

#[test]
fn sshd_is_told_of_a_new_config_and_beside_a_main_command_it_logs_to_a_file() {
    let plan = |main: &[&str]| {
        let main = main.iter().map(ToString::to_string).collect();
        let sshd = Some(PathBuf::from("/usr/sbin/sshd"));
        let runtime = Some(PathBuf::from("/run/devinit"));
        let facts = Facts { main, sshd, runtime, capabilities: u64::MAX, ..facts(PASSWD) };
        find(&resolve(&loaded("{}"), &facts, None), SSHD).unwrap().clone()
    };
    let (alone, beside) = (plan(&[]), plan(&["bash"]));
    let command = ["/usr/sbin/sshd", "-D", "-e", "-f", "/run/devinit/sshd_config"];
    assert_eq!((&alone.command[..], &beside.command[..]), (&command.map(str::to_owned)[..], &alone.command[..]));
    assert_eq!((alone.log, alone.reload_signal), (Some(RAW), Some(1)));
    let path = PathBuf::from("/var/log/devinit/sshd.log");
    let file = Some(LogFile { path, size: 10 << 20, keep: 5, json: false });
    assert_eq!(beside.log, Some(Log { output: None, file }));
}

#[test]
fn hooks_are_for_a_boot_only_and_none_holds_up_the_app_for_ever() {
    let plan = plan_of("{hooks: {on_boot: [[a], [b]]}, app: {command: [a]}}");
    for name in ["on-boot-1", "on-boot-2"] {
        let hook = find(&plan, name).unwrap();
        assert_eq!((hook.boot_only, hook.run_limit), (true, Some(Duration::from_secs(600))));
    }
    assert!(find(&plan, "greeting").unwrap().boot_only);
    assert!(!find(&plan, APP).unwrap().boot_only);
}

#[test]
fn the_first_run_runs_again_when_what_it_depends_on_changes() {
    let revision = |config: &str| find(&plan_of(config), FIRST_RUN).unwrap().revision.clone();
    let known = revision("{first_run: {steps: [{uv: {}}]}}");
    assert!(!known.is_empty());
    assert_eq!(known, revision("{first_run: {steps: [{uv: {}}]}, app: {command: [a]}, greeting: {enabled: true}}"));
    for other in [
        "{first_run: {steps: [{uv: {}}, {bun: {}}]}}",
        "{first_run: {steps: [{uv: {}}]}, proxy: none}",
        "{first_run: {steps: [{uv: {}}]}, path: [/x]}",
        "{first_run: {steps: [{uv: {}}]}, environment: {A: b}}",
    ] {
        assert_ne!(known, revision(other), "{other}");
    }
    let with_users = |users: &str| {
        let config = format!("{{version: 1, users: {{{users}}}, first_run: {{steps: [{{uv: {{}}}}]}}}}");
        find(&resolve(&written(&config), &facts(PASSWD), None), FIRST_RUN).unwrap().revision.clone()
    };
    let plain = with_users("peid: {uid: 3100}");
    assert_eq!(plain, with_users("peid: {uid: 3100, password: {hash: '$6$a$b'}}"), "a password changes nothing");
    assert_ne!(plain, with_users("other: {uid: 3200}"));
}

#[test]
fn the_page_can_do_nothing_that_it_need_not() {
    let page = |root: bool, capabilities: u64| {
        let facts = Facts { root, capabilities, ..facts(PASSWD) };
        find(&resolve(&loaded("{app: {page: true}}"), &facts, None), "page").unwrap().settings.clone()
    };
    let all: Vec<u32> = (0..=63).collect();
    assert_eq!((page(true, u64::MAX).no_new_privileges, page(true, u64::MAX).dropped_capabilities), (true, all));
    assert!(page(false, 0).no_new_privileges);
    for (root, capabilities) in [(false, 0), (true, 0)] {
        assert!(page(root, capabilities).dropped_capabilities.is_empty(), "it may not: {root}");
    }
}

#[test]
fn the_plan_tells_briefly_what_is_special_about_a_service() {
    let plan = plan_of(
        "{services: {a: {command: [a], restart: always, ready: {fd: 3}, log: file, nice: 5, limits: {nofile: '1:2', core: \
         unlimited}, environment_files: [/e], finish: [f], watchdog: 30s, drop_capabilities: [ALL], policy: critical},\
         b: {command: \"b\\n\\e[2J\", every: '0 3 * * *', timeout: 1m}, c: {command: [c], manual: true, log: prefix}, \
         d: {command: [d], oneshot: true, restart: never, log: both, no_new_privileges: true, umask: 7}}}",
    );
    let text = super::text(&plan);
    for line in [
        "  a: a, ready by fd 3, watchdog 30s, restarted always, then f, variables from /e, nice 5, limits.core unlimited, \
         limits.nofile 1:2, drop_capabilities ALL, log /var/log/devinit/a.log, and the container ends with it\n",
        "  b: /bin/sh -c b ?[2J, at \"0 3 * * *\", for 1m at most, again if it fails\n",
        "  c: c, when asked for, log with its name\n",
        "  d: d, once, umask 007, no_new_privileges, log /var/log/devinit/d.log and the container's\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    let json = super::json(&plan);
    let service = |name: &str| {
        json["services"].as_array().unwrap().iter().find(|service| service["name"] == name).unwrap().clone()
    };
    let (a, b, c) = (service("a"), service("b"), service("c"));
    assert_eq!((&a["when"], &b["when"]["at"], &c["when"]), (&"boot".into(), &"0 3 * * *".into(), &"asked".into()));
    assert_eq!(a["settings"]["limits.nofile"], "1:2");
    assert_eq!((&a["log"]["file"]["path"], &a["watchdog"]), (&"/var/log/devinit/a.log".into(), &"30s".into()));
    assert_eq!((&b["timeout"], &a["environment_files"][0]), (&"1m".into(), &"/e".into()));
    assert!(!json.to_string().contains("revision"));
}
