use nix::libc::{SIGHUP, SIGUSR1};

use super::*;
use crate::engine::snapshot::{Change, ChangeKind};

/// The same service with another command.
fn changed(service: &Service) -> Service {
    Service { command: vec!["other".to_owned()], ..service.clone() }
}

fn command(stage: &Stage, name: &str) -> String {
    stage.machine.service(stage.id(name)).unwrap().command[0].clone()
}

#[test]
fn what_did_not_change_is_not_touched() {
    let services = [oneshot("hook"), service("db").probed(None), service("next").after(&["db"]), app()];
    let mut stage = Stage::of(services.clone());
    let before = stage.machine.snapshot(stage.now);
    assert!(stage.reload(services).is_empty());
    assert_eq!(stage.machine.snapshot(stage.now), before);
}

#[test]
fn what_is_new_begins_and_what_is_gone_is_stopped_and_forgotten() {
    let mut stage = Stage::of([service("a"), service("b")]);
    assert_eq!(stage.reload([service("c"), service("b")]), ["SIGTERM to a", "launch c"]);
    assert_eq!(stage.names(), ["c", "b"], "in the order of the new spec");
    assert_eq!(stage.machine.snapshot(stage.now).services.len(), 2);
    assert_eq!(stage.machine.find("a"), None);
    assert_eq!(stage.machine.service_of(stage.pid("a")).unwrap().name, "a", "but its process is still there");
    assert!(stage.play(Event::Request(Request::Start(0))).is_empty());
    assert_eq!(stage.pass(seconds(5)), ["SIGKILL to group of a"]);
    assert!(stage.ends("a", End::Signal(SIGKILL)).is_empty());
    assert!(stage.pass(seconds(3600)).is_empty());
}

#[test]
fn a_place_is_given_away_only_when_nothing_of_the_old_service_is_left() {
    let mut stage = Stage::of([service("a").finished(), service("b")]);
    stage.reload([service("b")]);
    stage.reload([service("b"), service("c")]);
    assert_eq!((stage.id("b"), stage.id("c")), (1, 2), "a still ends");
    stage.exits("a", 0);
    stage.reload([service("b"), service("c"), service("d")]);
    assert_eq!(stage.id("d"), 3, "its finish command runs");
    stage.exits("finish of a", 0);
    assert_eq!(stage.reload([service("e"), service("b"), service("c"), service("d")]), ["launch e"]);
    assert_eq!((stage.id("e"), stage.names()), (0, ["e", "b", "c", "d"].map(str::to_owned).into()));
}

#[test]
fn a_place_is_not_given_away_before_every_answer_is_there() {
    let mut stage = Stage::of([service("b")]);
    let gone = oneshot("a").when(When::At("0 0 * * *".to_owned().try_into().unwrap()));
    let reload = |services: &[Service]| Event::Reload(Spec { services: services.into(), shutdown: seconds(9) });
    assert_eq!(stage.step(reload(&[service("b"), gone])), ["schedule a"]);
    stage.step(reload(&[service("b")]));
    stage.step(reload(&[service("b"), service("c")]));
    assert_eq!(stage.id("c"), 2);
    stage.step(Event::Scheduled(1, Some(seconds(1))));
    stage.step(reload(&[service("b"), service("c"), service("d")]));
    assert_eq!(stage.id("d"), 1);
    assert!(stage.machine.next_deadline().is_none());
}

#[test]
fn a_place_that_becomes_free_is_not_taken_in_the_same_reload() {
    let mut stage = Stage::of([service("a"), service("b")]);
    stage.stop("a");
    stage.exits("a", 0);
    stage.reload([service("b"), service("c")]);
    assert_eq!(stage.id("c"), 2, "someone may just have asked for a");
    stage.reload([service("b"), service("c"), service("d")]);
    assert_eq!(stage.id("d"), 0);
}

#[test]
fn a_service_that_runs_is_stopped_as_it_was_and_started_as_it_is() {
    let old = Service { stop_signal: SIGUSR1, stop_timeout: seconds(1), ..service("app") };
    let mut stage = Stage::of([old.clone()]);
    let new = Service { stop_signal: SIGTERM, stop_timeout: seconds(60), ..changed(&old) };
    assert_eq!(stage.reload([new.clone()]), ["SIGUSR1 to app"]);
    assert_eq!(command(&stage, "app"), "app");
    assert_eq!(stage.machine.services().next(), Some(&new), "what is compared the next time");
    assert!(stage.reload([new]).is_empty(), "nothing new");
    assert_eq!(stage.pass(seconds(1)), ["SIGKILL to group of app"]);
    assert_eq!(stage.ends("app", End::Signal(SIGKILL)), ["SIGKILL to group of app", "launch app"]);
    assert_eq!(command(&stage, "app"), "other");
    assert_eq!(stage.stop("app"), ["SIGTERM to app"]);
}

#[test]
fn the_last_reload_counts() {
    let mut stage = Stage::of([service("app")]);
    stage.reload([changed(&service("app"))]);
    let last = Service { command: vec!["last".to_owned()], ..service("app") };
    assert!(stage.reload([last]).is_empty(), "it ends already");
    stage.exits("app", 0);
    assert_eq!(command(&stage, "app"), "last");
}

#[test]
fn a_service_that_is_just_being_made_is_stopped_as_soon_as_it_is_there() {
    let mut stage = Stage::empty(false);
    stage.step(Event::Begin(Spec { services: vec![service("app")], shutdown: seconds(9) }));
    stage.cast.insert(7, "app".to_owned());
    let reload = Event::Reload(Spec { services: vec![changed(&service("app"))], shutdown: seconds(9) });
    assert!(stage.step(reload).is_empty());
    assert_eq!(stage.step(Event::Launched(0, 7)), ["SIGTERM to app"]);
    assert_eq!(stage.exits("app", 0), ["SIGKILL to group of app", "launch app"]);
    assert_eq!(command(&stage, "app"), "other");
}

#[test]
fn what_is_down_is_what_it_is_to_be_at_once_and_is_tried_anew() {
    let never = |name: &str| Service { restart: Restart::Never, ..service(name) };
    let services = [oneshot("done"), oneshot("failed"), service("backing off"), service("waiting").after(&["failed"])];
    let mut stage = Stage::of(services.clone());
    stage.exits("done", 0);
    stage.exits("failed", 1);
    stage.exits("backing off", 1);
    let mut said = stage.reload(services.iter().map(changed).collect::<Vec<_>>());
    said.retain(|said| said.starts_with("launch"));
    assert_eq!(said, ["launch done", "launch failed", "launch backing off"]);
    for name in ["done", "failed", "backing off", "waiting"] {
        assert_eq!(command(&stage, name), "other");
    }
    stage.exits("backing off", 1);
    let pause = Report::Ended(2, End::Code(1), Next::Restart(millis(250)));
    assert_eq!(stage.reports.last(), Some(&pause), "its failures are forgotten");

    let mut stage = Stage::of([never("app")]);
    stage.exits("app", 1);
    assert!(stage.reload([never("app")]).is_empty(), "only what changed is");
}

#[test]
fn what_was_stopped_on_request_stays_so() {
    let mut stage = Stage::of([service("app"), service("b")]);
    stage.stop("app");
    stage.stop("b");
    stage.exits("app", 0);
    assert!(stage.reload([changed(&service("app")), changed(&service("b"))]).is_empty());
    assert!(stage.exits("b", 0).is_empty(), "nor does one that still ends come again");
    for name in ["app", "b"] {
        assert_eq!((stage.state(name), command(&stage, name)), (ServiceState::Stopped, "other".to_owned()));
    }
    assert_eq!(stage.start("app"), ["SIGKILL to group of app", "launch app"]);
}

#[test]
fn what_is_started_on_request_only_stays_as_it_is() {
    let manual = |name: &str| oneshot(name).when(When::Asked);
    let all = || ["down", "done", "failed", "runs"].map(manual);
    let mut stage = Stage::of(all());
    for name in ["done", "failed", "runs"] {
        stage.start(name);
    }
    stage.exits("done", 0);
    stage.exits("failed", 1);
    assert_eq!(stage.reload(all().map(|service| changed(&service))), ["SIGTERM to runs"]);
    assert_eq!(stage.exits("runs", 0), ["launch runs"], "but who runs is to run as it is now");
    let states = [ServiceState::Stopped, ServiceState::Done, ServiceState::Failed, ServiceState::Starting];
    assert_eq!(["down", "done", "failed", "runs"].map(|name| stage.state(name)), states);
}

#[test]
fn what_is_not_for_requests_only_any_more_starts_and_what_is_does_not() {
    let mut stage = Stage::of([service("a").when(When::Asked), oneshot("b")]);
    stage.exits("b", 1);
    let said = stage.reload([service("a"), service("c").when(When::Asked), oneshot("b").when(When::Asked)]);
    assert_eq!(said, ["launch a"]);
    assert_eq!((stage.state("b"), stage.state("c")), (ServiceState::Failed, ServiceState::Stopped));
}

#[test]
fn what_is_for_requests_only_from_now_on_has_no_next_time_and_no_next_attempt() {
    let task = oneshot("task").when(When::Every(seconds(60))).finished();
    let mut stage = Stage::of([task, service("app").finished()]);
    stage.exits("task", 0);
    stage.exits("app", 1);
    let manual = |service: Service| service.when(When::Asked);
    assert!(stage.reload([manual(oneshot("task")), manual(service("app"))]).is_empty());
    assert!(stage.exits("finish of task", 0).is_empty());
    assert!(stage.exits("finish of app", 0).is_empty());
    assert_eq!((stage.state("task"), stage.state("app")), (ServiceState::Stopped, ServiceState::Stopped));
    assert_eq!(stage.machine.next_deadline(), None);
}

#[test]
fn what_has_just_ended_is_what_it_is_to_be_at_once_and_starts_when_its_finish_command_has_ended() {
    let app = || Service { backoff: given_up_after(1), ..service("app") }.finished();
    let mut stage = Stage::of([app()]);
    stage.exits("app", 1);
    assert!(stage.reload([changed(&app())]).is_empty());
    assert_eq!(command(&stage, "app"), "other");
    assert_eq!(stage.exits("finish of app", 0), ["SIGKILL to group of app", "launch app"]);
}

#[test]
fn the_container_does_not_end_with_what_is_not_critical_any_more() {
    let mut stage = Stage::of([app().finished()]);
    stage.exits("app", 3);
    assert!(stage.reload([Service { critical: false, ..app() }.when(When::Asked).finished()]).is_empty());
    assert!(stage.exits("finish of app", 0).is_empty());
    assert!(!stage.machine.stopping());
}

#[test]
fn what_only_reads_something_else_gets_a_signal() {
    let with = |revision: &str| Service {
        revision: revision.to_owned(),
        reload_signal: Some(SIGHUP),
        restart: Restart::Never,
        ..service("sshd")
    };
    let mut stage = Stage::of([with("1")]);
    assert_eq!(stage.reload([with("2")]), ["SIGHUP to sshd"]);
    assert_eq!(stage.state("sshd"), ServiceState::Ready);
    assert!(stage.reload([with("2")]).is_empty());
    assert_eq!(stage.reload([changed(&with("3"))]), ["SIGTERM to sshd"], "more than that changed");
    assert!(stage.reload([changed(&with("4"))]).is_empty(), "it ends already");
    stage.exits("sshd", 0);
    stage.exits("sshd", 1);
    assert_eq!(stage.state("sshd"), ServiceState::Failed);
    assert_eq!(stage.reload([changed(&with("5"))]), ["SIGKILL to group of sshd", "launch sshd"], "it may work now");

    let without = |revision: &str| Service { reload_signal: None, ..with(revision) };
    let mut stage = Stage::of([without("1")]);
    assert_eq!(stage.reload([without("2")]), ["SIGTERM to sshd"]);
}

#[test]
fn what_has_its_place_in_a_boot_only_is_left_alone() {
    let hook = Service { boot_only: true, ..oneshot("hook") };
    let mut stage = Stage::of([hook.clone(), service("app")]);
    let other = Service { name: "late".to_owned(), ..hook.clone() };
    assert!(stage.reload([service("app"), changed(&hook), other]).is_empty());
    assert_eq!(
        (stage.names(), command(&stage, "hook")),
        (vec!["app".to_owned(), "hook".to_owned()], "hook".to_owned())
    );
    assert!(stage.reload([service("app")]).is_empty(), "it is not stopped either");
    assert_eq!(stage.names(), ["app", "hook"]);
    let old: Vec<_> = stage.machine.services().collect();
    assert_eq!(changes(&old, &Spec { services: vec![service("app")], shutdown: seconds(9) }), []);
}

#[test]
fn a_service_that_is_wanted_again_before_it_is_gone_comes_back_as_a_new_one() {
    let mut stage = Stage::of([service("app"), service("b")]);
    stage.reload([service("b")]);
    assert!(stage.reload([changed(&service("app")), service("b")]).is_empty());
    assert_eq!((stage.id("app"), stage.names()), (0, vec!["app".to_owned(), "b".to_owned()]));
    assert_eq!(stage.exits("app", 1), ["SIGKILL to group of app", "launch app"]);
    assert_eq!(command(&stage, "app"), "other");

    stage.reload([service("b")]);
    stage.reload([service("app").when(When::Asked), service("b")]);
    assert!(stage.exits("app", 1).is_empty());
    assert_eq!(stage.state("app"), ServiceState::Stopped);
}

#[test]
fn a_critical_service_that_is_removed_does_not_end_the_container() {
    let mut stage = Stage::of([app().finished()]);
    stage.reload([]);
    assert_eq!(stage.exits("app", 3), ["finish app (exit code 3)"]);
    assert!(stage.exits("finish of app", 0).is_empty());
    assert!(!stage.machine.stopping());
    assert_eq!(stage.signal(SIGTERM), ["SIGTERM to everyone"]);
    assert_eq!(stage.play(Event::Alone), ["exit 0"]);
}

#[test]
fn what_still_ends_is_waited_for_in_a_shutdown() {
    let mut stage = Stage::of([service("a"), service("b").order(1)]);
    stage.reload([service("b").order(1)]);
    assert!(stage.signal(SIGTERM).is_empty());
    assert_eq!(stage.exits("a", 0), ["SIGTERM to b"]);
}

#[test]
fn a_stand_in_waits_until_the_service_that_was_removed_is_gone() {
    let mut stage = Stage::of([page(), service("app")]);
    assert_eq!(stage.reload([page()]), ["SIGTERM to app"]);
    assert_eq!(stage.exits("app", 0), ["launch page"]);
}

#[test]
fn those_who_come_after_a_service_that_changed_go_on() {
    let mut stage = Stage::of([service("db"), service("app").after(&["db"])]);
    assert_eq!(stage.reload([changed(&service("db")), service("app").after(&["db"])]), ["SIGTERM to db"]);
    assert_eq!(stage.state("app"), ServiceState::Ready);
}

#[test]
fn a_task_that_changed_is_due_as_it_is_now() {
    let at = |when: &str| oneshot("task").when(When::At(when.to_owned().try_into().unwrap()));
    let mut stage = Stage::empty(false);
    stage.next_time = Some(seconds(600));
    stage.play(Event::Begin(Spec { services: vec![at("0 3 * * *")], shutdown: seconds(9) }));
    stage.next_time = Some(seconds(60));
    assert_eq!(stage.reload([at("0 4 * * *")]), ["schedule task"]);
    assert_eq!(stage.pass(seconds(60))[1..], ["launch task"]);
    assert_eq!(stage.reload([at("0 5 * * *")]), ["SIGTERM to task"]);
    assert_eq!(stage.exits("task", 0), ["schedule task", "launch task"]);
    stage.exits("task", 0);
    assert_eq!(stage.reload([oneshot("task")]), ["launch task"]);
    stage.exits("task", 0);
    assert_eq!((stage.state("task"), stage.machine.next_deadline()), (ServiceState::Done, None));
}

#[test]
fn an_answer_of_the_clock_about_what_a_service_was_is_not_believed() {
    let at = |when: &str| oneshot("task").when(When::At(when.to_owned().try_into().unwrap()));
    let spec = |when: &str| Spec { services: vec![at(when)], shutdown: seconds(9) };
    let mut stage = Stage::empty(false);
    assert_eq!(stage.step(Event::Begin(spec("0 3 * * *"))), ["schedule task"]);
    assert!(stage.step(Event::Reload(spec("0 4 * * *"))).is_empty());
    assert_eq!(stage.step(Event::Scheduled(0, Some(seconds(1)))), ["schedule task"]);
    stage.step(Event::Scheduled(0, Some(seconds(5))));
    assert_eq!(stage.status("task").next_ms, Some(5000));
}

#[test]
fn a_reload_changes_how_long_a_shutdown_may_take() {
    let mut stage = Stage::of([service("app")]);
    stage.play(Event::Reload(Spec { services: vec![service("app")], shutdown: seconds(4) }));
    stage.signal(SIGTERM);
    assert_eq!(stage.pass(seconds(3)), ["SIGKILL to group of app", "SIGTERM to everyone"]);
}

#[test]
fn a_reload_that_comes_too_early_or_too_late_is_ignored() {
    let mut stage = Stage::empty(false);
    assert!(stage.reload([service("app")]).is_empty());
    assert!(stage.names().is_empty());
    let mut stage = Stage::of([service("app")]);
    stage.signal(SIGTERM);
    assert!(stage.reload([service("other")]).is_empty());
    assert_eq!(stage.names(), ["app"]);
}

#[test]
fn it_can_be_told_before_what_a_reload_would_do() {
    let old = [
        service("same"),
        service("gone"),
        service("app"),
        Service { revision: "1".to_owned(), reload_signal: Some(SIGHUP), ..service("sshd") },
    ];
    let new = Spec {
        services: vec![
            service("new"),
            Service { revision: "2".to_owned(), ..old[3].clone() },
            Service { watchdog: Some(seconds(1)), critical: true, ..changed(&old[2]) },
            service("same"),
        ],
        shutdown: seconds(1),
    };
    let change = |service: &str, what, keys: &[&str]| Change {
        service: service.to_owned(),
        what,
        keys: keys.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(
        changes(&old.iter().collect::<Vec<_>>(), &new),
        [
            change("new", ChangeKind::Added, &[]),
            change("sshd", ChangeKind::Signalled, &["files"]),
            change("app", ChangeKind::Changed, &["command", "policy", "watchdog"]),
            change("gone", ChangeKind::Removed, &[]),
        ]
    );
}

#[test]
fn every_change_of_a_service_has_a_name() {
    use crate::engine::spec::{Identity, Log, Settings};
    let old = service("app");
    let identity = |uid, groups: &[u32]| Some(Identity { uid, gid: 1, groups: groups.into() });
    let set = |settings: Settings| Service { settings, ..old.clone() };
    let mine = Settings::default;
    let own = || old.clone();
    let cases = [
        ("command", Service { command: Vec::new(), ..own() }),
        ("command", Service { foreground: true, ..own() }),
        ("oneshot", Service { kind: Kind::Oneshot, ..own() }),
        ("policy", Service { critical: true, ..own() }),
        ("environment", Service { environment: [("A".to_owned(), "b".to_owned())].into(), ..own() }),
        ("environment_files", Service { environment_files: vec!["/e".into()], ..own() }),
        ("directory", Service { directory: Some("/".into()), ..own() }),
        ("user", Service { identity: identity(1, &[2]), ..own() }),
        ("when", own().when(When::Asked)),
        ("after", own().after(&["b"])),
        ("after", own().settled(&["b"])),
        ("after", Service { stands_in_for: Some("b".to_owned()), ..own() }),
        ("ready", own().probed(None)),
        ("watchdog", Service { watchdog: Some(seconds(1)), ..own() }),
        ("restart", Service { restart: Restart::Never, ..own() }),
        ("backoff", Service { backoff: given_up_after(1), ..own() }),
        ("timeout", Service { run_limit: Some(seconds(1)), ..own() }),
        ("finish", own().finished()),
        ("stop", own().order(7)),
        ("stop", Service { stop_signal: SIGHUP, ..own() }),
        ("stop", Service { stop_timeout: seconds(7), ..own() }),
        ("log", Service { log: Some(Log::default()), ..own() }),
        ("files", Service { revision: "2".to_owned(), ..own() }),
        ("signals", Service { gets_signals: true, ..own() }),
        ("signals", Service { reload_signal: Some(SIGHUP), ..own() }),
        ("umask", set(Settings { umask: Some(2), ..mine() })),
        ("nice", set(Settings { nice: Some(2), ..mine() })),
        ("oom_score_adj", set(Settings { oom_score_adj: Some(2), ..mine() })),
        ("limits", set(Settings { limits: vec![(1, 2, 3)], ..mine() })),
        ("drop_capabilities", set(Settings { dropped_capabilities: vec![1], ..mine() })),
        ("no_new_privileges", set(Settings { no_new_privileges: true, ..mine() })),
    ];
    for (key, new) in cases {
        let told = changes(&[&old], &Spec { services: vec![new], shutdown: seconds(9) });
        assert_eq!((told[0].what, &told[0].keys[..]), (ChangeKind::Changed, &[key.to_owned()][..]));
    }
    let old = Service { identity: identity(1, &[2]), ..service("app") };
    let new = Service { identity: identity(1, &[3]), ..service("app") };
    assert_eq!(changes(&[&old], &Spec { services: vec![new], shutdown: seconds(9) })[0].keys, ["groups"]);
}
