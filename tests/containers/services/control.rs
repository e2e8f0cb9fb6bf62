//! The control socket is open to everyone in the container, and nobody can do harm with it.

use super::{devinit, of, run, state, wait_for_state};
use crate::support::{seconds, wait_for};

/// Asks in a way that nobody should, a thousand times, and leaves the connections open.
const HOSTILE: &str = "import os, resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
kept = []
def client(data):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.setblocking(False)
    try:
        s.connect('/run/devinit/control.sock')
    except BlockingIOError:
        return
    kept.append(s)
    for packet in data:
        try: s.send(packet)
        except OSError: pass
ways = [[], [b''], [b'\\0' * 100], [b'\"stat'], [b'x' * 100_000], [os.urandom(4096)], [b'{' * 4000], [b'[' * 4000],
        [b'\"status\"'] * 50, [b'{\"stop\":\"web\"}'], [b'{\"start\":\"' + b'a' * 3000 + b'\"}'], [b'\"reload\"'], [b'null']]
for i in range(1000):
    client(ways[i % len(ways)])
    if i % 100 == 0: time.sleep(0.01)
open('/tmp/all-there', 'w')
time.sleep(float(sys.argv[1]))
";

#[test]
fn a_thousand_hostile_clients_neither_grow_it_nor_keep_others_out() {
    let container = run("  web: {command: [sleep, 1d]}\n");
    wait_for_state(&container, "web", "ready");
    container.put("/hostile.py", HOSTILE);
    // Without the program's own pages, which come and go.
    let rss = || -> u64 { container.sh("awk '/^RssAnon/ {print $2}' /proc/1/status").parse().unwrap() };
    let web = of(&container, "web", "pid");
    // The first round makes what is made once.
    container.exec_as("games", ["python3", "/hostile.py", "0"]).success();
    container.sh("rm -f /tmp/all-there");
    let before = rss();
    container.start("setpriv --reuid=games --clear-groups python3 /hostile.py 60");
    container.wait_for_file("/tmp/all-there");
    for _ in 0..10 {
        assert_eq!(devinit(&container, ["health"]).code, 0);
    }
    devinit(&container, ["restart", "web"]).success();
    wait_for("the new process", seconds(20), || {
        let pid = of(&container, "web", "pid");
        (pid != web && pid != "None").then_some(())
    });
    let after = rss();
    assert!(after < before + 512, "PID 1 grew from {before} to {after} KiB");
    assert!(container.sh("ls /proc/1/fd | wc -l").parse::<u32>().unwrap() < 100);
    assert!(container.stop().after < seconds(9));
}

#[test]
fn only_root_steers_and_everyone_may_look() {
    let container = run("  web: {command: [sleep, 1d]}\n");
    wait_for_state(&container, "web", "ready");
    let as_games = |command: &str| container.exec_as("games", ["devinit", command, "web"]);
    for command in ["stop", "restart", "start"] {
        let refused = as_games(command);
        assert!(refused.code == 1 && refused.text().contains("sudo"), "{refused:?}");
    }
    assert_eq!(state(&container, "web"), "ready");
    assert!(container.exec_as("games", ["devinit", "status"]).success().contains("web"));
    assert_eq!(container.exec_as("games", ["devinit", "health"]).code, 0);
}

#[test]
fn any_child_may_be_killed_at_any_time() {
    let container = run("  web: {restart: always, backoff: {first: 10ms, give_up_after: 0}, ready: {command: 'test -e /up'}, command: 'sleep 0.05; touch /up; exec sleep 1d'}
  api: {restart: always, backoff: {first: 10ms, give_up_after: 0}, log: file, finish: 'sleep 0.05', command: 'echo up; exec sleep 1d'}
");
    wait_for_state(&container, "web", "ready");
    for _ in 0..40 {
        container.sh("rm -f /up; for pid in $(ps -e -o pid=,comm= | awk '$1 != 1 && $2 !~ /^(bash|ps|awk)$/ {print $1}'); do kill -9 $pid; done 2>/dev/null; true");
    }
    wait_for_state(&container, "web", "ready");
    wait_for_state(&container, "api", "ready");
    assert_eq!(container.sh("ps -e -o stat= | grep -c Z || true"), "0");
    assert!(container.stop().after < seconds(9));
}

#[test]
fn a_service_that_floods_its_notification_socket_keeps_nobody_waiting() {
    let container = run("  flood:
    ready: {notify: true}
    command:
      - python3
      - -c
      - |
        import os, socket
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect(os.environ['NOTIFY_SOCKET'])
        s.send(b'READY=1')
        while True:
            try: s.send(b'STATUS=' + b'x' * 4000)
            except OSError: pass
  web: {command: [sleep, 1d]}
");
    wait_for_state(&container, "flood", "ready");
    for _ in 0..5 {
        assert_eq!(devinit(&container, ["health"]).code, 0);
    }
    devinit(&container, ["restart", "web"]).success();
    wait_for_state(&container, "web", "ready");
    assert!(container.stop().after < seconds(9));
}
