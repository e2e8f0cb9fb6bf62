//! The images of `docker/`, over the stand-in base, as their users meet them.

use crate::support::{BASE, Container, JUPYTER, Key, NVIDIA, Output, PYTORCH, bounded, request, seconds, wait_for};

#[test]
fn pytorch_is_reached_by_ssh_alone() {
    let key = Key::new();
    let container = Container::image(PYTORCH).key(&key).options(["--health-interval=1s"]).run();
    container.wait_for_ssh();
    assert_eq!(container.ssh("root").run("id -u; pwd").success(), "0\n/root");
    container.wait_for_health("healthy");
    assert!(request(&container, "GET", "/", &[], "").is_none(), "something answers on 27015");
    assert_eq!(container.inspect("{{.Config.WorkingDir}}"), "/app");
    assert_eq!(container.stop().code, 0);
}

#[test]
fn images_carry_no_host_key_and_expose_two_ports() {
    for image in [PYTORCH, JUPYTER, BASE] {
        let container = Container::image(image)
            .option("--entrypoint=sh")
            .command(["-c", "ls /etc/ssh /var/lib/devinit/ssh 2>/dev/null"]);
        let listed = container.output();
        assert!(!listed.stdout.contains("ssh_host_"), "{image}: {listed:?}");
        let inspected = Container::image(image).option("--entrypoint=true").run();
        assert_eq!(
            inspected.inspect("{{range $port, $_ := .Config.ExposedPorts}}{{$port}} {{end}}"),
            "22/tcp 27015/tcp",
            "{image}"
        );
    }
}

#[test]
fn the_entrypoint_of_an_nvidia_base_is_chained() {
    let output = Container::image(NVIDIA).command(["sh", "-c", "echo got $NVIDIA_CPU_ONLY"]).output();
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("== PyTorch =="), "{output:?}");
    assert!(output.stdout.ends_with("got 1\n"), "{output:?}");

    let app = Container::image(NVIDIA)
        .config("{version: 1, app: {command: 'echo app got $NVIDIA_CPU_ONLY; exec sleep 1000'}}")
        .run();
    app.wait_for_log("app got 1");
    assert_eq!(app.stop().code, 0);

    let without = Container::image(NVIDIA)
        .config("{version: 1, base_entrypoint: none}")
        .command(["sh", "-c", "echo got $NVIDIA_CPU_ONLY"])
        .output();
    assert_eq!(without.stdout, "got\n");
    let code = Container::image(NVIDIA).command(["sh", "-c", "exit 7"]).output().code;
    assert_eq!(code, 7);
}

const TOKEN: &str = "0123456789abcdef";

#[test]
fn jupyter_runs_a_cell_for_who_has_the_token_and_for_nobody_else() {
    let key = Key::new();
    let container =
        Container::image(JUPYTER).key(&key).env("JUPYTER_TOKEN", TOKEN).options(["--health-interval=1s"]).run();
    container.wait_for_ssh();
    wait_for("JupyterLab", seconds(90), || {
        request(&container, "GET", "/api", &[], "").filter(|answer| answer.status == 200)
    });
    container.wait_for_health("healthy");

    for headers in [&[][..], &["Authorization: token wrong"][..]] {
        let refused = request(&container, "POST", "/api/kernels", headers, "{}").unwrap();
        assert_eq!(refused.status, 403, "{refused:?}");
    }
    let token = format!("Authorization: token {TOKEN}");
    let made = request(&container, "POST", "/api/kernels", &[&token], "{}").unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let kernel: serde_json::Value = serde_json::from_str(&made.body).unwrap();
    let kernel = kernel["id"].as_str().unwrap();
    let ran = container.exec([
        "/test/run-cell",
        "http://127.0.0.1:27015",
        TOKEN,
        kernel,
        "import os; print(6 * 7, os.getcwd())",
    ]);
    assert_eq!(ran.success(), "42 /app");

    assert!(
        !container.sh("cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '").contains(TOKEN),
        "the token is on a command line"
    );
    let exit = container.stop();
    assert_eq!(exit.code, 0);
    assert!(exit.after < seconds(9), "{exit:?}");
}

#[test]
fn jupyters_login_page_is_seen_in_a_browser() {
    let container = Container::image(JUPYTER).env("JUPYTER_TOKEN", TOKEN).run();
    wait_for("JupyterLab", seconds(90), || {
        request(&container, "GET", "/api", &[], "").filter(|answer| answer.status == 200)
    });
    let address = container.published(27015).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let screenshot = folder.path().join("login.png");

    let mut browser = bounded(90, "chromium");
    browser
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--dump-dom",
        ])
        .args(["--window-size=1000,700", "--virtual-time-budget=10000"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--screenshot={}", screenshot.display()))
        .arg(format!("http://{address}/lab"));
    let dom = Output::of(&mut browser).success();

    assert!(dom.contains("password_input") && dom.contains("type=\"password\""), "{dom}");
    let png = std::fs::read(screenshot).unwrap();
    assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000, "the screenshot has {} bytes", png.len());
}
