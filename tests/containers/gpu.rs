//! GPUs, without one: what follows from their lack, and from nodes that stand in for them.

use std::time::{Duration, Instant};

use crate::support::{BASE, Container, Key};

/// Prints what keeps programs off the GPU.
const SHOW: &str = "echo \"[${CUDA_VISIBLE_DEVICES-unset}] [${NVIDIA_CPU_ONLY-unset}]\"";
const OFF: &str = "[] [1]";

#[test]
fn a_gpu_that_is_switched_off_is_so_for_the_app_and_for_whoever_logs_in() {
    let key = Key::new();
    // The config would take the variables' names for its own.
    let app = format!("#!/bin/sh\n{SHOW} > /tmp/app.new; mv /tmp/app.new /tmp/app; exec sleep infinity\n");
    let config = "{version: 1, users: {root: {}, peid: {uid: 3100}}, gpu: {cuda: '12.9', on_mismatch: disable}, \
                  app: {command: [/opt/show], ready: {path: /tmp/app}}}";
    let container = Container::image(BASE)
        .key(&key)
        .config(config)
        .mounted_program("/opt/show", &app)
        .env("CUDA_VISIBLE_DEVICES", "0")
        .run();
    container.wait_for_ssh();
    container.wait_for_file("/tmp/app");
    assert_eq!(container.sh("cat /tmp/app").trim(), OFF);
    for user in ["root", "peid"] {
        assert_eq!(container.ssh(user).run(SHOW).success(), OFF, "{user}");
    }
    // Neither comes through sshd, and docker exec brings the container's own variables.
    assert_eq!(container.exec(["bash", "-lc", SHOW]).text().trim(), OFF);
    assert_eq!(container.exec(["su", "-", "peid", "-c", SHOW]).text().trim(), OFF);

    let mut terminal = container.ssh("root").terminal();
    terminal.expect("GPU off: this container has no GPU");
    container.wait_for_health("healthy");
}

#[test]
fn a_gpu_that_has_to_be_there_and_is_not_is_a_broken_config() {
    const CONFIG: &str = "{version: 1, gpu: {cuda: '12.9', on_mismatch: fail}}";
    let key = Key::new();
    let container = Container::image(BASE).key(&key).config(CONFIG).run();
    container.wait_for_ssh();
    let health = container.exec(["devinit", "health"]);
    assert!(health.code == 1 && health.text().contains("in rescue: gpu.on_mismatch is fail"), "{health:?}");

    let output = Container::image(BASE).config(&CONFIG.replace("gpu:", "on_error: exit, gpu:")).output();
    assert_eq!(output.code, 78, "{output:?}");
    assert!(output.text().contains("start it with --gpus all"), "{output:?}");
}

#[test]
fn a_variable_that_hides_all_gpus_by_mistake_is_warned_about() {
    let key = Key::new();
    let container = Container::image(BASE).key(&key).config("{version: 1}").env("CUDA_VISIBLE_DEVICES", "all").run();
    container.wait_for_ssh();
    let mut terminal = container.ssh("root").terminal();
    terminal.expect("CUDA_VISIBLE_DEVICES=all means no GPU at all");
    assert!(container.exec(["devinit", "status"]).text().contains("CUDA_VISIBLE_DEVICES=all"));
}

#[test]
fn status_does_not_wait_for_an_nvidia_smi_that_hangs_and_health_misses_a_gpu_that_vanished() {
    let key = Key::new();
    let container = Container::image(BASE)
        .key(&key)
        .config("{version: 1}")
        .options(["--device=/dev/null:/dev/nvidia0", "--device=/dev/null:/dev/nvidiactl"])
        .mounted_program("/usr/local/bin/nvidia-smi", "#!/bin/sh\ntrap '' TERM\nsleep 1000\n")
        .run();
    container.wait_for_ssh();
    container.wait_for_health("healthy");

    let begin = Instant::now();
    let status = container.exec(["devinit", "status"]);
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert!(status.text().contains("GPU: NVIDIA GPU"), "{status:?}");
    assert!(status.text().contains("nvidia-smi did not answer within 2 s"), "{status:?}");
    let json = container.exec(["devinit", "status", "--json"]);
    assert!(json.text().contains("did not answer"), "{json:?}");
    assert_eq!(container.exec(["devinit", "health"]).code, 0, "health asks nvidia-smi");

    container.sh("rm /dev/nvidia0");
    let health = container.exec(["devinit", "health"]);
    let expected = "GPU 0 is gone: /dev/nvidia0 is missing; restart the container";
    assert_eq!((health.code, health.text().trim()), (1, expected));
    assert_eq!(container.exec(["devinit", "health", "--live"]).code, 0);
    let mut terminal = container.ssh("root").terminal();
    terminal.expect("GPU 0 is gone");
    // After a reload, too.
    assert_eq!(container.exec(["devinit", "reload"]).code, 0);
    assert_eq!(container.exec(["devinit", "health"]).code, 1);
    container.restart();
    container.wait_for_health("healthy");
}
