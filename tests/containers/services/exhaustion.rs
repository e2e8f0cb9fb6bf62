//! What a container runs out of: PID 1 goes on, reaps, and stops in time.

use super::{config, devinit, wait_for_state};
use crate::support::{BASE, Container, seconds, wait_for};

#[test]
fn a_fork_bomb_under_a_limit_of_processes_is_outlived() {
    let container = Container::image(BASE)
        .config(&config(
            "  bomb: {restart: always, command: 'bomb() { bomb | bomb & }; bomb; exec sleep 1d'}
  web: {restart: always, log: file, command: [sleep, 1d]}
",
        ))
        .options(["--pids-limit=80"])
        .run();
    wait_for("the limit", seconds(30), || {
        (container.logs().contains("fork") || container.logs().contains("Resource")).then_some(())
    });
    std::thread::sleep(seconds(2));
    assert!(container.is_running());
    let exit = container.stop();
    assert!(exit.after < seconds(10), "{exit:?}");
    assert_eq!(exit.code, 0, "it was killed from outside");
}

#[test]
fn memory_at_the_limit_costs_the_eater_and_not_the_container() {
    let container = Container::image(BASE)
        .config(&config(
            "  eater:
    oom_score_adj: 500
    restart: always
    backoff: {first: 50ms, give_up_after: 3}
    command: [python3, -c, 'list(iter(lambda: bytearray(b\"x\" * (1 << 20)), None))']
  web: {command: [sleep, 1d]}
",
        ))
        .options(["--memory=64m", "--memory-swap=64m"])
        .run();
    wait_for_state(&container, "eater", "failed");
    assert_eq!(super::state(&container, "web"), "ready");
    assert!(super::of(&container, "eater", "last_end").contains("SIGKILL"));
    assert!(container.stop().after < seconds(9));
}

#[test]
fn a_full_disk_stops_no_service_and_logs_go_on_when_there_is_room() {
    let container = Container::image(BASE)
        .config(&config("  noisy: {log: {to: file, size: 64KiB, keep: 1000}, command: 'i=0; while :; do i=$((i+1)); echo line $i; [ $i -lt 20000 ] || sleep 0.05; done'}\n"))
        .options(["--tmpfs=/var/log:size=512k"])
        .run();
    wait_for("the disk to be full", seconds(30), || {
        (container.exec(["bash", "-c", "head -c 100000 /dev/zero > /var/log/x"]).code != 0).then_some(())
    });
    container.wait_for_log("No space left");
    assert_eq!(super::state(&container, "noisy"), "ready");
    assert_eq!(devinit(&container, ["health"]).code, 0);
    container.sh("rm -f /var/log/x /var/log/devinit/noisy.log.*");
    let lines = || container.sh("wc -l < /var/log/devinit/noisy.log").parse::<u32>().unwrap();
    let before = lines();
    wait_for("new lines", seconds(20), || (lines() > before + 5).then_some(()));
    assert!(container.stop().after < seconds(9));
}

#[test]
fn without_room_in_run_it_boots_steers_what_it_can_and_stops() {
    let container = Container::image(BASE)
        .config(&config("  web: {command: 'echo hello; exec sleep 1d'}\n"))
        .options(["--tmpfs=/run:size=16k"])
        .run();
    container.wait_for_log("hello");
    container.exec(["bash", "-c", "head -c 100000 /dev/zero > /run/x"]);
    wait_for_state(&container, "web", "ready");
    devinit(&container, ["restart", "web"]).success();
    wait_for_state(&container, "web", "ready");
    let exit = container.stop();
    assert!(exit.code == 0 && exit.after < seconds(5), "{exit:?}");
}
