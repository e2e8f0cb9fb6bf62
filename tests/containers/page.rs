//! The status page on 27015: there while there is no app, and gone when the app wants the port.

use crate::support::{BASE, Container, Key, Response, request, seconds, wait_for};

fn page(container: &Container, path: &str) -> Option<Response> {
    request(container, "GET", path, &[], "")
}

#[test]
fn while_the_app_waits_there_is_a_page_and_then_the_app_has_the_port() {
    let container = Container::image(BASE)
        .key(&Key::new())
        .env("SECRET_TOKEN", "hunter2hunter2")
        .config(
            "{version: 1, hooks: {on_boot: ['while ! [ -e /tmp/go ]; do sleep 0.1; done']}, \
             app: {command: [python3, /test/app], directory: /tmp, page: true}}",
        )
        // Without SO_REUSEADDR: it fails on a port that has any connection of the page's in TIME_WAIT.
        .mounted(
            "/test/app",
            "import http.server\nclass S(http.server.HTTPServer):\n    allow_reuse_address = False\n\
             S(('0.0.0.0', 27015), http.server.SimpleHTTPRequestHandler).serve_forever()\n",
        )
        .run();
    let waiting = wait_for("the page", seconds(20), || page(&container, "/"));
    assert_eq!(waiting.status, 503);
    for _ in 0..5 {
        let json = page(&container, "/status.json").expect("the page answers");
        assert_eq!(json.status, 503);
        assert!(json.body.contains("\"pending\":true"), "{}", json.body);
        assert!(!json.body.contains("hunter2") && !waiting.body.contains("hunter2"));
    }
    let owner = container.sh("stat -c %U /proc/$(pgrep -o -f 'internal page')");
    assert_eq!(owner.trim(), "nobody");

    container.sh("touch /tmp/go");
    let app = wait_for("the app", seconds(20), || page(&container, "/").filter(|answer| answer.status == 200));
    assert!(app.body.contains("Directory listing"), "{}", app.body);
    assert!(!container.logs().contains("Address already in use"), "{}", container.logs());
}

#[test]
fn an_app_that_is_given_up_leaves_the_page_and_the_container() {
    let container =
        Container::image(BASE).key(&Key::new()).config("{version: 1, app: {command: 'exit 3', page: true}}").run();
    let answer = wait_for("a page that tells of the failure", seconds(40), || {
        page(&container, "/status.json").filter(|answer| answer.body.contains("exit code 3"))
    });
    assert_eq!(answer.status, 503);
    container.wait_for_ssh();
    wait_for("health to name it", seconds(40), || {
        let health = container.exec(["devinit", "health"]);
        (health.code == 1 && health.stdout.contains("app failed and was given up: exit code 3")).then_some(())
    });
}

#[test]
fn an_image_without_an_app_can_have_a_page_that_says_so() {
    let container = Container::image(BASE).key(&Key::new()).config("{version: 1, app: {page: true}}").run();
    let answer = wait_for("the page", seconds(20), || page(&container, "/").filter(|answer| answer.status == 200));
    assert!(answer.body.contains("SSH"), "{}", answer.body);
    assert_eq!(container.stop().code, 0);
}
