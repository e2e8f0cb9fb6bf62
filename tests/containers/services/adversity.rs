//! Bad days: far too many services, a frozen container, and everything killed while the config changes.

use super::{config, devinit, run, wait_for_state};
use crate::support::{BASE, Builder, Container, seconds, wait_for};

/// So many services.
fn many(count: usize, rest: &str) -> String {
    config(&(0..count).map(|number| format!("  s{number:03}: {{{rest}}}\n")).collect::<String>())
}

fn image(config: &str) -> Builder {
    Container::image(BASE).config(config)
}

/// How many services are in this state.
fn count(container: &Container, state: &str) -> usize {
    container
        .sh(&format!("devinit status --json | grep -o '\"state\": *\"{state}\"' | wc -l"))
        .parse()
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn three_hundred_services_need_more_descriptors_than_they_are_given_each() {
    let container =
        image(&many(300, "log: inherit, command: 'exec sleep 1d'")).option("--ulimit=nofile=1024:4096").run();
    wait_for("all", seconds(60), || (count(&container, "ready") == 300).then_some(()));
    assert!(container.sh("ls /proc/1/fd | wc -l").parse::<u32>().unwrap() > 1024);
    let limit = container.sh("awk '/open files/ {print $4, $5}' /proc/$(pgrep -o -x sleep)/limits");
    assert_eq!(limit, "1024 4096", "of a service");
    assert!(devinit(&container, ["reload"]).success().contains("nothing changed"));
    assert!(!container.logs().contains("no pipe"));
    assert!(container.stop().after < seconds(9));
}

#[test]
fn where_descriptors_run_out_services_run_and_the_container_is_steered_all_the_same() {
    let container = image(&many(60, "log: inherit, command: 'exec sleep 1d'")).option("--ulimit=nofile=100:100").run();
    wait_for("all", seconds(60), || (count(&container, "ready") == 60).then_some(()));
    container.wait_for_log("--ulimit nofile");
    assert!(devinit(&container, ["reload"]).success().contains("nothing changed"));
    devinit(&container, ["restart", "s059", "--wait"]).success();
    assert_eq!(devinit(&container, ["health"]).code, 0);
    assert!(container.stop().after < seconds(9));
}

#[test]
fn a_frozen_container_costs_no_service_its_life() {
    let container = image(&config(
        "  model:
    ready: {notify: true}
    watchdog: 2s
    command:
      - python3
      - -c
      - |
        import os, socket, time
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect(os.environ['NOTIFY_SOCKET'])
        s.send(b'READY=1')
        while True:
            time.sleep(0.5)
            s.send(b'WATCHDOG=1')
",
    ))
    .run();
    wait_for_state(&container, "model", "ready");
    // Ends before, shortly after and long after the watchdog is due.
    for frozen in [1600, 2100, 2300, 2600, 5000] {
        wait_for("it to freeze", seconds(20), || container.pause().then_some(()));
        std::thread::sleep(std::time::Duration::from_millis(frozen));
        container.resume();
        std::thread::sleep(seconds(1));
        assert_eq!(super::of(&container, "model", "restarts"), "0", "after {frozen} ms");
    }
}

#[test]
fn without_any_folder_to_write_to_it_says_what_does_not_work_and_runs_services() {
    let container = image(&config("  web: {command: 'echo hello; exec sleep 1d'}\n")).option("--read-only").run();
    container.wait_for_log("hello");
    container.wait_for_log("--tmpfs /run");
    assert_eq!(devinit(&container, ["health"]).code, 2);
    let exit = container.stop();
    assert!(exit.code == 0 && exit.after < seconds(5), "{exit:?}");
}

#[test]
fn what_a_service_says_last_is_kept_and_the_way_it_said_it_is_not() {
    let container = run("  model:
    ready: {notify: true}
    restart: never
    command:
      - python3
      - -c
      - |
        import os, socket
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect(os.environ['NOTIFY_SOCKET'])
        s.send(b'READY=1\\nSTATUS=no licence')
        os._exit(3)
  web: {command: [sleep, 1d]}
");
    wait_for_state(&container, "model", "failed");
    assert_eq!(super::of(&container, "model", "text"), "no licence");
    assert_eq!(container.sh("ls /run/devinit/notify"), "");
}

/// Kills loggers, preparing children, probes and services, for so many seconds.
const KILLS: &str = "end=$((SECONDS + 20)); while [ $SECONDS -lt $end ]; do sleep 0.0$((RANDOM % 10))
for p in /proc/[0-9]*; do
  pid=${p#/proc/}; read -r name < $p/comm || continue
  case \"$name\" in
    'devinit: logger' | 'devinit: prepar'*) of=10 ;;
    'devinit: probe') of=2 ;;
    sleep | sh) of=8 ;;
    *) continue ;;
  esac
  [ $((RANDOM % of)) != 0 ] || kill -9 $pid
done; done 2> /dev/null; touch /killed";

/// Starts, stops and restarts whatever there may be, for so many seconds.
const REQUESTS: &str = "end=$((SECONDS + 20)); set -- start stop restart; while [ $SECONDS -lt $end ]; do
  shift $((RANDOM % 2)); devinit ${1:-restart} s$((RANDOM % 6)); set -- start stop restart
done > /dev/null 2>&1";

#[test]
fn what_the_config_says_holds_in_the_end_whatever_was_killed_while_it_changed() {
    let last = config("  web: {log: file, command: [sleep, 1d]}\n");
    let container = Container::image(BASE).env("DEVINIT_CONFIG", "/config.yaml").command([]).run();
    container.put("/config.yaml", &last);
    wait_for("the first reload", seconds(30), || (devinit(&container, ["reload"]).code == 0).then_some(()));
    wait_for_state(&container, "web", "ready");
    let descriptors = || container.sh("ls /proc/1/fd | wc -l").parse::<u32>().unwrap();
    // Without the program's own pages, which come and go.
    let memory = || container.sh("awk '/^RssAnon:/ {print $2}' /proc/1/status").parse::<u32>().unwrap();
    let change = |number: usize| {
        let kinds = [
            "restart: always, log: both, command: 'echo $$; sleep 0.2; exit 1'",
            "restart: always, ready: {command: 'sleep 0.05'}, command: 'sleep 1d & wait'",
            "restart: always, finish: 'sleep 0.1', log: file, command: [sleep, 1d]",
            "stop: {timeout: 200ms}, command: 'trap \"\" TERM; while :; do sleep 0.1; done'",
            "every: 1s, log: file, command: 'echo now'",
        ];
        let service = |place: usize| {
            let kind = kinds[(place * 7 + number * (place + 3)) % kinds.len()];
            let backoff = "backoff: {first: 20ms, longest: 100ms, give_up_after: 0}";
            format!("  s{place}: {{{backoff}, {kind}}}\n")
        };
        let services: String = (0..6).filter(|place| !(place + number).is_multiple_of(4)).map(service).collect();
        container.put("/config.yaml", &config(&services));
        devinit(&container, ["reload"])
    };
    let settle = || {
        container.put("/config.yaml", &last);
        // The second and the third one let go of what is kept for those that print last.
        for _ in 0..3 {
            wait_for("a reload", seconds(20), || (devinit(&container, ["reload"]).code == 0).then_some(()));
            std::thread::sleep(seconds(1));
        }
        wait_for_state(&container, "web", "ready");
    };
    for number in 0..4 {
        change(number).success();
    }
    settle();
    let before = (descriptors(), memory());
    container.start(KILLS);
    container.start(REQUESTS);
    container.start(REQUESTS);
    let mut number = 0;
    while container.exec(["test", "-e", "/killed"]).code != 0 {
        number += 1;
        change(number);
    }
    settle();
    let left = container.sh(
        "all=$(ps -e -o args=); grep -v -e '^runc' -e '^devinit' -e '^/usr/local/bin/devinit' -e '^ps ' -e '^bash' <<< \"$all\"",
    );
    assert_eq!(left, "sleep 1d", "after {number} reloads");
    assert_eq!(container.sh("ps -e -o stat= | grep -c Z || true"), "0");
    let after = (descriptors(), memory());
    assert!(after.0 <= before.0 && after.1 < before.1 + 1024, "{before:?} {after:?}");
    assert_eq!(devinit(&container, ["health"]).code, 0);
    assert!(container.stop().after < seconds(9));
}
