//! The app on 27015: started, watched, started again, given up; and what `status` tells of it.

use crate::support::{BASE, Container, Key, request, seconds, wait_for};

const WEB: &str = "{version: 1, app: {command: [python3, -m, http.server, '27015'], directory: /test, ready: {http: 'http://127.0.0.1:27015/'}}}";

#[test]
fn it_answers_from_outside_in_its_folder() {
    let container = Container::image(BASE).config(WEB).run();
    let answer = wait_for("the app", seconds(30), || request(&container, "GET", "/", &[], ""));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("save-on-term"), "{answer:?}");
}

#[test]
fn it_is_started_again_when_it_is_killed() {
    let container = Container::image(BASE).config(WEB).run();
    let old = wait_for("the app", seconds(30), || container.pid_of("^python3 -m http.server"));
    container.exec(["kill", "-KILL", &old.to_string()]).success();
    let new =
        wait_for("another app", seconds(30), || container.pid_of("^python3 -m http.server").filter(|&new| new != old));
    assert_ne!(new, old);
    wait_for("its answer", seconds(30), || request(&container, "GET", "/", &[], ""));
    assert!(container.logs().contains("SIGKILL"), "the log does not say how it ended");
}

#[test]
fn a_crash_loop_ends_the_container_with_the_apps_exit_code() {
    let container = Container::image(BASE).config("{version: 1, app: {command: 'echo up; exit 3'}}").run();
    let exit = container.wait();
    assert_eq!(exit.code, 3);
    let starts = container.logs().lines().filter(|line| *line == "up").count();
    assert!((2..30).contains(&starts), "it was started {starts} times");
}

#[test]
fn an_app_that_is_not_to_be_restarted_ends_the_container() {
    for (restart, code) in [("never", 5), ("never", 0), ("on-failure", 0)] {
        let config = format!("{{version: 1, app: {{command: 'exit {code}', restart: {restart}}}}}");
        let container = Container::image(BASE).config(&config).run();
        let exit = container.wait();
        assert_eq!(exit.code, code, "{restart}");
        assert!(exit.after < seconds(10), "{restart}: {exit:?}");
    }
}

#[test]
fn it_runs_as_its_user_with_the_environment_of_that_user() {
    let container = Container::image(BASE)
        .config(
            "
version: 1
users:
  peid: {uid: 3100, gid: 1100, groups: [video]}
environment: {HF_HOME: /workspace/hf}
app:
  command: 'id -u; id -g; id -Gn; echo $HOME $USER $HF_HOME $OWN; umask; pwd; exec sleep 1000'
  user: peid
  directory: /home/peid
  environment: {OWN: \"1\"}
",
        )
        .run();
    container.wait_for_log("/home/peid\n");
    let log = container.logs();
    for line in ["3100\n", "1100\n", "/home/peid peid /workspace/hf 1\n"] {
        assert!(log.contains(line), "{line:?} is missing in {log}");
    }
    assert!(log.lines().any(|line| line.contains("video") && !line.contains(':')), "{log}");
}

#[test]
fn its_arguments_and_output_are_untouched() {
    let container = Container::image(BASE)
        .config("{version: 1, app: {command: [python3, -c, 'import sys; print(sys.argv[1:], flush=True)', 'two words', '*', '$HOME', ''], restart: never}}")
        .run();
    assert_eq!(container.wait().code, 0);
    assert!(container.logs().contains("['two words', '*', '$HOME', '']"), "{}", container.logs());
}

#[test]
fn an_app_that_nobody_can_reach_is_warned_about() {
    let container = Container::image(BASE)
        .config(
            "{version: 1, app: {command: [python3, -m, http.server, --bind, 127.0.0.1, '27015'], ready: {tcp: 27015}}}",
        )
        .run();
    wait_for("a warning", seconds(30), || {
        let status = container.exec(["devinit", "status"]).text();
        (status.contains("127.0.0.1") && status.contains("27015")).then_some(())
    });
}

#[test]
fn status_names_services_users_and_fingerprints_and_no_secret() {
    let key = Key::new();
    let container = Container::image(BASE).key(&key).config(WEB).env("HF_TOKEN", "hf_secret").run();
    container.wait_for_health("healthy");
    let status = container.exec(["devinit", "status"]).success();
    for word in ["sshd", "app", "root", "SHA256:", "22", "27015"] {
        assert!(status.contains(word), "{word} is missing in {status}");
    }
    let json = container.exec(["devinit", "status", "--json"]).success();
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    assert!(!status.contains("hf_secret") && !json.contains("hf_secret"));
}

#[test]
fn a_service_is_restarted_and_stopped_on_request() {
    let container = Container::image(BASE).key(&Key::new()).config(WEB).run();
    container.wait_for_health("healthy");
    let old = container.pid_of("^python3 -m http.server").unwrap();
    container.exec(["devinit", "restart", "app"]).success();
    wait_for("another app", seconds(30), || container.pid_of("^python3 -m http.server").filter(|&new| new != old));
    container.exec(["devinit", "stop", "app"]).success();
    wait_for("its end", seconds(10), || container.pid_of("^python3 -m http.server").is_none().then_some(()));
    assert!(container.is_running(), "a stop on request ended the container");
    container.exec(["devinit", "start", "app"]).success();
    wait_for("the app", seconds(30), || request(&container, "GET", "/", &[], ""));
    let unknown = container.exec(["devinit", "restart", "nothing"]);
    assert!(unknown.code != 0 && unknown.text().contains("nothing"), "{unknown:?}");
}
