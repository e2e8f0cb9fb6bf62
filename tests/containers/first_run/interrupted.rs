//! Whatever ends a first run, the next one goes on from there.

use super::{ByHand, assert_all_done, config, container, finished, noise, sha256, sha256_inside, task, wait_for_bytes};
use crate::support::mirror::Fault;
use crate::support::{Container, Mirror, seconds, wait_for};

const LENGTH: usize = 6_000_000;
const TARGET: &str = "/home/peid/big";

/// Boots with a download that is slow the first time, and waits until a part of it is there.
fn halfway(mirror: &Mirror, more: &[&str]) -> (Container, String) {
    let url = mirror.put("/big", noise(LENGTH));
    mirror.fails("/big", [Fault::Slow(500_000)]);
    let download = format!("download: {{name: big, url: '{url}', to: {TARGET}, sha256: {}}}", sha256(&noise(LENGTH)));
    let config = config(mirror, &[&[&*download], more].concat());
    let container = container(&config).run();
    wait_for_bytes(&container, "big", 1_000_000);
    (container, config)
}

/// It is there, and the second request began where the first one was cut off.
#[track_caller]
fn assert_continued(container: &Container, mirror: &Mirror) {
    assert_eq!(sha256_inside(container, TARGET), sha256(&noise(LENGTH)));
    let asked = mirror.requests("/big");
    let range = asked.get(1).and_then(|request| request.header("range")).unwrap_or_default().to_owned();
    let first: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or_default();
    assert!(asked.len() == 2 && first >= 1_000_000, "{asked:#?}");
}

#[test]
fn a_stop_during_a_download_is_quick_and_the_next_start_continues_it() {
    let mirror = Mirror::start();
    let (container, _) = halfway(&mirror, &["script: {run: 'sleep 1000'}"]);
    let exit = container.stop();
    assert_eq!(exit.code, 0);
    assert!(exit.after < seconds(8), "{exit:?}");
    assert!(container.file(TARGET).is_none(), "a part of it is there under its name");
    container.start_again();
    wait_for("the download", seconds(60), || (!sha256_inside(&container, TARGET).is_empty()).then_some(()));
    assert_continued(&container, &mirror);
}

#[test]
fn a_container_that_is_killed_continues_when_it_is_started_again() {
    let mirror = Mirror::start();
    let (container, _) = halfway(&mirror, &["script: {name: before, run: 'echo once >>~/before'}"]);
    container.wait_for_file("/home/peid/.local/state/devinit/first-run");
    wait_for("the other step", seconds(20), || {
        super::progress(&container).filter(|progress| task(progress, "before").ended_ms.is_some())
    });
    container.kill("KILL");
    container.wait();
    container.start_again();
    assert_all_done(&finished(&container, seconds(60)));
    assert_continued(&container, &mirror);
    assert_eq!(container.sh("cat /home/peid/before"), "once", "what was done was done again");
}

#[test]
fn a_coordinator_that_is_killed_takes_its_workers_along() {
    let mirror = Mirror::start();
    let (container, config) = halfway(&mirror, &["script: {name: sleeper, run: 'sleep 4242'}"]);
    let coordinator = container.pid_of("devinit first-run").unwrap();
    container.sh(&format!("kill -KILL {coordinator}"));
    wait_for("its workers to end", seconds(15), || {
        let left = container.exec(["pgrep", "-f", "devinit first-run|sleep 4242"]).stdout;
        left.is_empty().then_some(())
    });
    assert_ne!(container.exec(["test", "-e", TARGET]).code, 0);
    let run = ByHand::run(&container, &config.replace("sleep 4242", "true"), "");
    assert_eq!(run.output.code, 0, "{:?}", run.output);
    assert_continued(&container, &mirror);
}

#[test]
fn a_worker_that_is_killed_is_begun_again() {
    let mirror = Mirror::start();
    let (container, _) = halfway(&mirror, &[]);
    let coordinator = container.pid_of("devinit first-run").unwrap();
    container.sh(&format!("pkill -KILL -P {coordinator}"));
    let ended = finished(&container, seconds(60));
    assert_all_done(&ended);
    assert_eq!(task(&ended, "big").attempts, 2);
    assert_continued(&container, &mirror);
}

#[test]
fn killed_at_any_instant_it_is_complete_in_the_end() {
    let mirror = Mirror::start();
    let url = mirror.put("/tool", "#!/bin/sh\necho tool\n");
    let steps = [
        format!("download: {{url: '{url}', to: ~/tool, mode: '0755'}}"),
        "pixi: {global: [jq]}".to_owned(),
        "micromamba: {environments: {tools: [ripgrep]}}".to_owned(),
        "code-server: {}".to_owned(),
        "script: {run: 'sleep 0.2; echo made >~/made'}".to_owned(),
    ];
    let config = config(&mirror, &steps.each_ref().map(String::as_str));
    let container = container(&super::users("")).run();
    container.wait_for_ssh();
    container.put(super::BY_HAND, &config);
    // From the first instants to its end, which it is let come to now and then.
    let line = format!(
        "for round in $(seq 40); do
             devinit first-run --json --config {} >/tmp/out 2>&1 & pid=$!
             sleep 0.$(printf %03d $((RANDOM % 900))); kill -KILL $pid 2>/dev/null; wait $pid 2>/dev/null
             [ $((round % 10)) != 0 ] || rm -rf /home/peid/.local/state /home/peid/tool
         done; true",
        super::BY_HAND
    );
    container.sh(&line);
    let run = ByHand::run(&container, &config, "");
    assert_eq!(run.output.code, 0, "{:?}", run.output);
    assert_eq!(
        container.sh("/home/peid/tool; cat /home/peid/made; /home/peid/.pixi/bin/pixi --version"),
        "tool\nmade\npixi 0.77.0"
    );
    let strays = container.sh("find /home/peid -name '*.new' -o -name '*.old' -o -name '*.part*' -o -name '*.tmp'");
    assert_eq!(strays, "");
    let again = ByHand::run(&container, &config, "");
    assert!(again.output.code == 0 && again.event("begin", "download").is_none(), "{:?}", again.output);
}
