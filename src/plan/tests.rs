use std::path::Path;

use super::*;
use crate::engine::spec::{Kind, Restart, Service};
use crate::prepare::accounts::Database;

const PASSWD: &str =
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

fn facts(passwd: &str) -> Facts {
    let database = Database { passwd: Some(passwd.as_bytes().to_vec()), ..Database::default() };
    let environment = BTreeMap::from([("PATH", "/usr/bin:/bin"), ("HTTPS_PROXY", "http://proxy")]);
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Facts { root: true, program: PathBuf::from("/devinit"), database, environment, ..Facts::default() }
}

fn loaded(config: &str) -> Loaded {
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

fn find<'a>(plan: &'a Plan, name: &str) -> Option<&'a Service> {
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
