//! How services say that they are up, and that they still are.

use super::{devinit, of, run, state, wait_for_state};
use crate::support::{seconds, wait_for};

/// What sd_notify(3) does, in Python.
const NOTIFY: &str = "import os, socket, sys, time
def say(text):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.connect(os.environ['NOTIFY_SOCKET'])
    s.send(text.encode())
";

#[test]
fn a_service_that_notifies_is_ready_when_it_says_so_and_tells_how_it_is() {
    let container = run(&format!(
        "  loader:
    ready: {{notify: true}}
    user: nobody
    command:
      - python3
      - -c
      - |
{}
        say('STATUS=loading 7 of 9')
        while not os.path.exists('/go'): time.sleep(0.05)
        say('READY=1\\nSTATUS=serving')
        time.sleep(86400)
",
        indented(NOTIFY)
    ));
    wait_for("its status", seconds(20), || (of(&container, "loader", "text") == "loading 7 of 9").then_some(()));
    assert_eq!(state(&container, "loader"), "starting");
    let status = devinit(&container, ["status"]).success();
    assert!(status.contains("loading 7 of 9"), "{status}");
    // Another user cannot speak for it.
    let forged = "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b'READY=1', '/run/devinit/notify/loader')";
    assert_ne!(container.exec_as("games", ["python3", "-c", forged]).code, 0);
    assert_eq!(state(&container, "loader"), "starting");

    container.sh("touch /go");
    wait_for_state(&container, "loader", "ready");
    assert_eq!(of(&container, "loader", "text"), "serving");
}

#[test]
fn a_service_that_no_longer_says_that_it_is_alive_is_restarted() {
    let container = run(&format!(
        "  pulse:
    ready: {{notify: true}}
    watchdog: 1s
    restart: always
    command:
      - python3
      - -c
      - |
{}
        open('/starts', 'a').write('x')
        assert os.environ['WATCHDOG_USEC'] == '1000000' and os.environ['WATCHDOG_PID'] == str(os.getpid())
        say('READY=1')
        for _ in range(10 if len(open('/starts').read()) == 1 else 10**9):
            say('WATCHDOG=1')
            time.sleep(0.2)
        time.sleep(86400)
",
        indented(NOTIFY)
    ));
    wait_for("a second start", seconds(30), || (container.exec(["cat", "/starts"]).stdout == "xx").then_some(()));
    wait_for_state(&container, "pulse", "ready");
    assert!(container.logs().contains("SIGABRT"), "systemd's signal for it, too: {}", container.logs());
}

#[test]
fn a_service_that_is_not_ready_in_time_is_stopped_and_tried_again() {
    let container = run("  slow:
    ready: {tcp: 4000, timeout: 300ms}
    backoff: {first: 100ms, give_up_after: 2}
    command: [sleep, 1d]
");
    wait_for_state(&container, "slow", "failed");
    assert_eq!(of(&container, "slow", "restarts"), "1");
    assert!(container.logs().contains("slow is not ready after"), "{}", container.logs());
}

#[test]
fn an_answer_over_http_has_to_be_the_one_that_is_wanted() {
    let server = "
      - |
        import http.server, os
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                right = self.headers['Host'] == 'model.example'
                self.send_response(204 if not os.path.exists('/loaded') else 200 if right else 421)
                self.end_headers()
                if os.path.exists('/warm'): self.wfile.write(b'{\"state\": \"warm\"}')
            def log_message(self, *_): pass
        http.server.ThreadingHTTPServer(('127.0.0.1', 4000), Handler).serve_forever()
";
    let container = run(&format!(
        "  model:
    ready: {{http: 'http://127.0.0.1:4000/health', status: 200, body: warm, host: model.example}}
    command:
      - python3
      - -c{server}"
    ));
    let looks_again = || std::thread::sleep(std::time::Duration::from_millis(1200));
    looks_again();
    assert_eq!(state(&container, "model"), "starting", "204 is not what it waits for");
    container.sh("touch /loaded");
    looks_again();
    assert_eq!(state(&container, "model"), "starting", "the body is not what it waits for");
    container.sh("touch /warm");
    wait_for_state(&container, "model", "ready");
    assert_eq!(devinit(&container, ["health"]).code, 0);
    container.sh("rm /warm");
    let health = devinit(&container, ["health"]);
    assert_eq!(health.code, 1, "{health:?}");
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("        {line}\n")).collect()
}
