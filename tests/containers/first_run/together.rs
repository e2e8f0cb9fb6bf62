//! One run at a time for each home, whoever begins another one.

use super::{assert_all_done, config, container, finished, noise, sha256, sha256_inside, wait_for_bytes};
use crate::support::mirror::Fault;
use crate::support::{Mirror, Volume, seconds};

const LENGTH: usize = 3_000_000;

/// A config with a download that takes some seconds.
fn slow(mirror: &Mirror) -> String {
    let url = mirror.put("/big", noise(LENGTH));
    mirror.fails("/big", [Fault::Slow(500_000)]);
    config(
        mirror,
        &[&format!("download: {{name: big, url: '{url}', to: ~/big}}"), "script: {run: 'echo once >>~/once'}"],
    )
}

#[test]
fn two_containers_on_one_home_do_everything_once() {
    let (mirror, home) = (Mirror::start(), Volume::new());
    let config = slow(&mirror);
    let both = [(); 2].map(|()| container(&config).volume(&home, "/home/peid").run());
    for container in &both {
        assert_all_done(&finished(container, seconds(60)));
        assert_eq!(sha256_inside(container, "/home/peid/big"), sha256(&noise(LENGTH)));
        assert_eq!(container.sh("cat /home/peid/once"), "once");
    }
    assert_eq!(mirror.requests("/big").len(), 1);
}

#[test]
fn a_second_run_says_who_runs_and_follows() {
    let mirror = Mirror::start();
    let container = container(&slow(&mirror)).run();
    wait_for_bytes(&container, "big", 100_000);
    let second = container.exec(["devinit", "first-run"]);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.text().contains("going on") && second.text().contains("pid"), "{second:?}");
    assert_eq!(mirror.requests("/big").len(), 1);
    assert_all_done(&finished(&container, seconds(10)));
}

#[test]
fn peid_may_run_it_too() {
    let mirror = Mirror::start();
    let url = mirror.put("/tool", "tool");
    let download = format!("download: {{url: '{url}', to: ~/tool}}");
    let container = container(&config(&mirror, &[&download])).run();
    assert_all_done(&finished(&container, seconds(30)));
    container.sh("rm /home/peid/tool");
    let run = container.exec_as("peid", ["devinit", "first-run"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(container.sh("cat /home/peid/tool; stat -c %U /home/peid/tool"), "toolpeid");
    assert_eq!(mirror.requests("/tool").len(), 2);
}
