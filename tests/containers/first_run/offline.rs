//! A bundle: filled on a machine with a network, installed from on one without.

use super::{BY_HAND, assert_all_done, config, container, finished, first_run, users};
use crate::support::{Mirror, Volume, seconds};

const STEPS: [&str; 7] = [
    "uv: {tools: [devinit-abacus]}",
    "micromamba: {}",
    "pixi: {}",
    "node: {version: lts, global: [devinit-parrot]}",
    "bun: {global: ['@devinit-test/greeter']}",
    "download: {name: clash-rs, github: Watfaq/clash-rs, asset: 'clash-rs-{arch}-unknown-linux-gnu', to: ~/clash, mode: '0755'}",
    "script: {run: 'echo made >~/made'}",
];

#[test]
fn what_was_downloaded_only_is_installed_without_a_network() {
    let (mirror, bundle) = (Mirror::start(), Volume::new());
    let online = container(&users("")).volume(&bundle, "/bundle").run();
    online.wait_for_ssh();
    online.put(BY_HAND, &config(&mirror, &STEPS));
    let filled = online.exec(["devinit", "first-run", "--config", BY_HAND, "--download-only", "/bundle"]);
    assert_eq!(filled.code, 0, "{filled:?}");
    let installed = online.sh(
        "find / -xdev ! -path '/proc/*' -name 'uv' -o -xdev -name clash -o -xdev -name made | grep -v ^/bundle || true",
    );
    assert_eq!(installed, "", "something was installed");
    let first = online.sh("find /bundle -type f | wc -l");
    drop(online);

    // No mirrors here: what the bundle holds is known by where it is published.
    let section = first_run("bundle: /bundle", &STEPS);
    let offline = container(&users(&section)).volume(&bundle, "/bundle").option("--network=none").run();
    assert_all_done(&finished(&offline, seconds(120)));
    let tools = "set -e; uv --version | cut -d' ' -f1-2; micromamba --version; pixi --version; node --version; ~/clash -v; cat ~/made; abacus; parrot now; greeter now";
    let said = offline.exec_as("peid", ["bash", "-lc", tools]).success();
    assert_eq!(
        said,
        "uv 0.12.5\n2.3.2\npixi 0.77.0\nv24.19.0\nclash-rs 0.10.8\nmade\nabacus counts\nparrot says now\nhello from greeter now"
    );
    assert_eq!(offline.sh("find /bundle -type f | wc -l"), first, "the bundle is only read");
}

#[test]
fn what_a_bundle_does_not_have_is_named() {
    let bundle = Volume::new();
    let section = first_run("bundle: /bundle", &["uv: {retries: 0}"]);
    let offline = container(&users(&section)).volume(&bundle, "/bundle").option("--network=none").run();
    let ended = finished(&offline, seconds(60));
    let error = format!("{:?} {:?}", ended.tasks[0].error, ended.tasks[0].hint);
    assert!(error.contains("/bundle") && error.contains("--download-only"), "{error}");
}
