//! Proxies: what is downloaded goes through them, what the steps' own tools fetch as well, and no byte of them stays.

use super::{PROGRESS, assert_all_done, container, finished, first_run, progress, users};
use crate::support::mirror::{Authority, Proxy};
use crate::support::{Mirror, Volume, seconds};

const PASSWORD: &str = "pr0xy-pass-w0rd";

#[test]
fn downloads_and_tools_go_through_the_proxy_and_nothing_of_it_is_on_the_disk() {
    let (mirror, home) = (Mirror::start(), Volume::new());
    let proxy = Proxy::before(&mirror, &format!("peid:{PASSWORD}"));
    mirror.put("/tool", "#!/bin/sh\necho through the proxy\n");
    mirror.put("/data", "for python");
    let python = "from urllib.request import urlopen; print(urlopen(\"http://far.example/data\").read().decode())";
    let fetch = format!("script: {{run: \"python3 -c '{}' >~/data\"}}", python.replace('"', "\\\""));
    let download = "download: {url: 'http://far.example/tool', to: ~/tool, mode: '0755'}";
    let as_root = "script: {name: system, run: 'env >/dev/null', as: root}";
    // What fails is what is written about most.
    let failing =
        "download: {name: missing, url: 'http://far.example/missing', to: ~/missing, optional: true, retries: 0}";
    let steps = [&*fetch, download, as_root, failing];
    let url = format!("http://peid:{PASSWORD}@{}", proxy.address());
    let container = container(&users(&first_run("parallel: 2", &steps)))
        .volume(&home, "/home/peid")
        .env("HTTP_PROXY", &url)
        .env("http_proxy", &url)
        .run();
    finished(&container, seconds(60));
    assert_eq!(container.exec(["/home/peid/tool"]).success(), "through the proxy");
    assert_eq!(container.sh("cat /home/peid/data"), "for python");
    assert_eq!(proxy.refused(), 0);
    let seen = proxy.seen();
    assert!(seen.iter().any(|line| line == "GET http://far.example/tool"), "{seen:?}");

    let (host, encoded) = (proxy.address(), "cGVpZDpwcjB4eS1wYXNzLXcwcmQ=");
    let words = [PASSWORD, &host, encoded];
    // Volumes and folders in memory; then the container's own layer.
    let patterns: String = words.iter().map(|word| format!("-e '{word}' ")).collect();
    let skipped = "--exclude-dir=proc --exclude-dir=sys --exclude-dir=dev";
    assert_eq!(container.sh(&format!("grep -rlaF {patterns} / {skipped} 2>/dev/null || true")), "");
    for word in words {
        assert!(!container.logs().contains(word), "the log has {word}");
        let status = container.exec(["sh", "-c", "devinit status --json; devinit first-run --plan; devinit greet"]);
        assert!(!status.text().contains(word), "{status:?}");
    }
    assert!(progress(&container).is_some(), "{PROGRESS} was not there to be searched");
    container.stop();
    assert_eq!(container.exported(&words), "");
}

#[test]
fn a_proxy_that_refuses_is_told_without_its_password() {
    let mirror = Mirror::start();
    let proxy = Proxy::before(&mirror, "peid:another");
    mirror.put("/tool", "tool");
    let section = first_run("parallel: 2", &["download: {url: 'http://far.example/tool', to: ~/tool, retries: 0}"]);
    let url = format!("http://peid:{PASSWORD}@{}", proxy.address());
    let container = container(&users(&format!("{section}proxy: {{all: '{url}'}}\n"))).run();
    let ended = finished(&container, seconds(60));
    let error = format!("{:?} {:?}", ended.tasks[0].error, ended.tasks[0].hint);
    assert!(error.contains("407") && error.contains("proxy"), "{error}");
    assert!(!error.contains(PASSWORD) && !container.logs().contains(PASSWORD));
    assert_eq!((proxy.seen(), mirror.all_requests().len()), (Vec::new(), 0));
}

#[test]
fn https_is_tunnelled() {
    let authority = Authority::new();
    let mirror = Mirror::encrypted(&authority);
    let proxy = Proxy::before(&mirror, &format!("peid:{PASSWORD}"));
    mirror.put("/tool", "tool");
    let section = first_run(
        "certificates: [/etc/mirror.pem]",
        &["download: {url: 'https://far.example/tool', to: ~/tool, retries: 0}"],
    );
    let url = format!("http://peid:{PASSWORD}@{}", proxy.address());
    let container = container(&users(&format!("{section}proxy: {{https: '{url}'}}\n")))
        .mounted("/etc/mirror.pem", authority.certificate())
        .run();
    assert_all_done(&finished(&container, seconds(60)));
    assert_eq!(proxy.seen(), ["CONNECT far.example:443"]);
    assert_eq!(container.sh("cat /home/peid/tool"), "tool");
}
