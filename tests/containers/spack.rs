//! config/spack.yaml as people use it: six things to start one image for, and storage that outlives every container.

use serde_json::Value;

use crate::support::{BASE, Builder, Container, Key, Output, SPACK, Volume, seconds, wait_for};

const CONFIG: &str = include_str!("../../config/spack.yaml");
const HUB: &str = include_str!("spack/hub.py");

/// The project's script, as it is in the workspace.
const BUILD: &str = "#!/bin/sh\nexec spack -e . install \"$@\"\n";
const ENVIRONMENT: &str = "spack:\n  specs:\n  - zlib\n  - openssl\n  - python\n  - py-numpy\n";

/// What is mounted from outside. Its files belong to whoever has them there: uid 1000, which the image's `ubuntu` has, too.
struct Storage([(Volume, &'static str); 4]);

impl Storage {
    fn new() -> Self {
        let mounts = ["/home/kvothe", "/opt/spack_store", "/opt/bazel_cache", "/workspace"];
        let storage = Self(mounts.map(|path| (Volume::new(), path)));
        let own = format!(
            "mkdir -p /workspace/pkg/zephyr; cd /workspace/pkg/zephyr; cp /new/build.sh /new/spack.yaml .; chmod +x build.sh; \
             chown -R 1000:1000 {}",
            mounts.join(" ")
        );
        let new = storage.mounted(Container::image(BASE));
        new.mounted("/new/build.sh", BUILD)
            .mounted("/new/spack.yaml", ENVIRONMENT)
            .command(["sh", "-c", &own])
            .output()
            .success();
        storage
    }

    fn mounted(&self, builder: Builder) -> Builder {
        self.0.iter().fold(builder, |builder, (volume, path)| builder.volume(volume, path))
    }

    /// The image with all of this.
    fn image(&self) -> Builder {
        self.mounted(Container::image(SPACK)).config(CONFIG).env("PUBLIC_KEY", Key::new().public())
    }

    /// What the launcher starts.
    fn entrypoint(&self, name: &str) -> Builder {
        self.image().env("SYGALDRY_ENTRYPOINT", name)
    }

    /// Runs a shell line as kvothe in a container of its own.
    fn sh(&self, line: &str) -> String {
        self.entrypoint("default").command(["bash", "-lc", line]).output().success()
    }
}

/// Has the container reach PyPI as the machine does.
fn online(builder: Builder) -> Builder {
    let names = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
    let variables = names.iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
    // uv has a list of its own otherwise; the image trusts what the machine does.
    let builder = builder.env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
    variables.fold(builder, |builder, (name, value)| builder.env(name, &value))
}

fn job(container: &Container, words: &str) -> Output {
    container.exec(["bash", "-c", &format!("devinit job {words}")])
}

/// The warnings, but for those that every boot of this config has without a GPU.
fn warnings(output: &Output) -> Vec<&str> {
    let warns =
        |line: &&str| line.contains("warning") && !line.contains("GPU off:") && !line.contains("user ubuntu was moved");
    output.stderr.lines().filter(warns).collect()
}

/// A hub with one small dataset, and where it is.
fn hub() -> (Container, String) {
    let hub = Container::image(BASE).mounted("/hub.py", HUB).command(["python3", "/hub.py", "8000"]).run();
    let address = hub.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
    let open = "import socket; socket.create_connection(('127.0.0.1', 8000), 1)";
    wait_for("the hub", seconds(20), || (hub.exec(["python3", "-c", open]).code == 0).then_some(()));
    (hub, format!("http://{address}:8000"))
}

#[test]
fn default_is_a_login_shell_or_the_command_that_is_given() {
    let storage = Storage::new();
    let (container, mut shell) = storage.image().terminal();
    shell.ask_until("echo rea''dy\n", "ready");
    shell.send("echo $(id -un):$(id -u) in-$PWD $(command -v spack) && shopt -q login_shell && touch made\n");
    shell.expect("kvothe:1000 in-/workspace /opt/spack_src/bin/spack");
    let list = container.exec(["devinit", "entrypoints"]).success();
    for name in ["default", "spack-install", "spack-build", "uv-install", "hf-download", "run-job"] {
        assert!(list.lines().any(|line| line.starts_with(name)), "{list}");
    }
    shell.send("exit 5\n");
    assert_eq!(shell.wait(), Some(5));
    assert_eq!(storage.sh("stat -c %u:%n /workspace/made"), "1000:/workspace/made");

    // There is no GPU for CUDA 12.9 here, which programs are told before they try.
    let shown =
        storage.sh("echo $SPACK_ROOT $HF_HOME $UV_CACHE_DIR [${CUDA_VISIBLE_DEVICES-unset}] [$NVIDIA_CPU_ONLY]");
    assert_eq!(shown, "/opt/spack_src /opt/bazel_cache/huggingface /opt/bazel_cache/uv [] [1]");
    let plain = storage.image().command(["sh", "-c", "spack --version; exit 3"]).output();
    assert!(plain.code == 3 && plain.stdout.starts_with("1.1.0"), "{plain:?}");
}

#[test]
fn spack_install_fills_the_store_that_stays_and_leaves_a_shell() {
    let storage = Storage::new();
    let output = storage.entrypoint("spack-install").command(["zlib", "hdf5+mpi cxx=on"]).output();
    let text = output.success();
    assert!(text.contains("==> Installing zlib-1.0") && text.contains("hdf5+mpi cxx=on-1.0-abcdefg [2/2]"), "{text}");
    let again = storage.entrypoint("spack-install").command(["zlib"]).output().success();
    assert_eq!(again, "[+] /opt/spack_store/linux/zlib-1.0");
    assert_eq!(storage.sh("stat -c %U /opt/spack_store/linux/*"), "kvothe\nkvothe");

    let (_container, mut terminal) = storage.entrypoint("spack-install").command(["broken"]).terminal();
    terminal.expect("==> Error: ProcessError");
    terminal.expect("devinit: spack-install ended with exit code 1 after");
    terminal.ask_until("echo rea''dy\n", "ready");
    terminal.send("echo $(id -un) in-$PWD; exit 6\n");
    terminal.expect("kvothe in-/workspace");
    assert_eq!(terminal.wait(), Some(6));
}

#[test]
fn spack_build_is_a_job_that_is_watched_from_anywhere_and_can_be_repeated() {
    let storage = Storage::new();
    // The launcher's other containers have the same storage. First, for the build waits for nobody.
    let beside = storage.image().command(["sleep", "1000"]).run();
    let build = storage.entrypoint("spack-build").env("SPACK_STAND_IN_PAUSE", "4").run();
    let progress = || {
        let status: Value = serde_json::from_str(&job(&beside, "status zephyr-build --json").stdout).ok()?;
        let done = status["progress"]["done"].as_u64()?;
        ((2..4).contains(&done) && status["progress"]["total"] == 4).then_some(status)
    };
    let status = wait_for("progress", seconds(40), progress);
    assert_eq!((&status["user"], &status["directory"]), (&"kvothe".into(), &"/workspace/pkg/zephyr".into()));
    let line = job(&beside, "status zephyr-build").success();
    let is_told = line.contains("50 % [2/4]") || line.contains("75 % [3/4]");
    assert!(line.starts_with("zephyr-build running") && is_told, "{line}");
    assert_eq!(job(&beside, "wait zephyr-build").code, 0);
    assert_eq!(build.wait().code, 0);
    // Who looks at the container has seen the same.
    let printed = build.logs();
    assert!(printed.contains("==> py-numpy: Successfully installed"), "{printed}");
    assert!(printed.starts_with(&job(&beside, "logs zephyr-build").success()), "{printed}");

    let failed = storage.entrypoint("spack-build").command(["zlib", "broken"]).output();
    assert_eq!(failed.code, 1, "{failed:?}");
    let status = job(&beside, "status zephyr-build").text();
    assert!(status.starts_with("zephyr-build failed (exit code 1)"), "{status}");
    let errors = job(&beside, "logs zephyr-build --errors").success();
    assert!(errors.contains("==> Error: ProcessError"), "{errors}");
    assert_eq!(
        storage.sh("stat -c %U /opt/bazel_cache/zephyr_jobs $(ls /opt/bazel_cache/zephyr_jobs/*) | uniq"),
        "kvothe"
    );
}

#[test]
fn uv_install_makes_an_environment_that_stays_and_adds_to_it() {
    let storage = Storage::new();
    let install = |packages: &[&str]| online(storage.entrypoint("uv-install")).arguments(packages).output();
    let show = "for name in six iniconfig; do ~/.venv/bin/python -c \"import $name; print($name.__name__)\"; done";

    let first = install(&["six<2"]);
    assert!(first.code == 0 && first.stderr.contains("+ six==1."), "{first:?}");
    assert!(first.stdout.contains("to use it: . /home/kvothe/.venv/bin/activate"), "{first:?}");
    assert_eq!(warnings(&first), [""; 0], "uv is not content");
    let again = install(&["six<2", "iniconfig"]);
    assert!(again.code == 0 && again.stderr.contains("+ iniconfig") && !again.stderr.contains("+ six"), "{again:?}");
    assert_eq!(storage.sh(show), "six\niniconfig");
    assert_eq!(
        storage.sh("stat -c %U ~/.venv $UV_CACHE_DIR && . ~/.venv/bin/activate && command -v python"),
        "kvothe\nkvothe\n/home/kvothe/.venv/bin/python"
    );

    // The next image has another Python.
    storage.sh("ln -sf /usr/bin/python3.0 ~/.venv/bin/python");
    let mended = install(&[]);
    assert_eq!(mended.code, 0, "{mended:?}");
    assert_eq!(storage.sh(show), "six\niniconfig");

    // What cannot be had fails, and what is there stays.
    let unknown = install(&["six>1000"]);
    assert!(unknown.code != 0 && unknown.stderr.contains("six>1000"), "{unknown:?}");
    assert_eq!(storage.sh(show), "six\niniconfig");
}

#[test]
fn hf_download_fills_the_shared_cache() {
    let storage = Storage::new();
    let (hub, url) = hub();
    let download =
        |words: &[&str]| storage.entrypoint("hf-download").env("HF_ENDPOINT", &url).arguments(words).output();

    let first = download(&["university/names", "wind", "train"]);
    assert!(first.code == 0 && first.stdout.contains("num_rows: 30"), "{first:?}");
    assert!(
        hub.logs().contains(
            "GET /datasets/university/names/resolve/0123456789abcdef0123456789abcdef01234567/wind/train.jsonl"
        )
    );
    let files = storage.sh("cd $HF_HOME; cat hub/datasets--university--names/snapshots/*/wind/train.jsonl | tail -n 1; stat -c %U hub; ls datasets/*/wind/*/*/");
    assert!(
        files.starts_with("{\"number\": 29, \"name\": \"wind 29\"}\nkvothe\n") && files.contains("names-train.arrow"),
        "{files}"
    );
    // Who has the cache needs no hub.
    let offline =
        "from datasets import load_dataset; print(load_dataset('university/names', 'wind', split='train')[29]['name'])";
    let offline = storage.entrypoint("default").env("HF_HUB_OFFLINE", "1").command(["python3", "-c", offline]).output();
    assert_eq!(offline.success(), "wind 29");

    let all = download(&["university/names", "wind"]);
    assert!(all.code == 0 && all.stdout.contains("num_rows: 3\n"), "{all:?}");
    assert_eq!(hub.logs().matches("/wind/train.jsonl HTTP/1.1\" 200").count(), 2, "one HEAD, one GET");

    for (words, why) in [
        (["university/nothing", "", ""], "'university/nothing' doesn't exist on the Hub"),
        (["university/names", "water", ""], "'water' not found. Available: ['wind', 'stone']"),
        (["university/names", "wind", "none"], "Unknown split \"none\". Should be one of ['train', 'test']"),
    ] {
        let output = download(&words);
        assert!(output.code == 1 && output.stderr.contains(&format!("hf-download: {}: ", words[0])), "{output:?}");
        assert!(output.stderr.contains(why) && !output.stderr.contains("Traceback"), "{output:?}");
    }
    let usage = download(&[]);
    assert!(usage.code == 64 && usage.stderr.contains("give it DATASET [CONFIG [SPLIT]]"), "{usage:?}");
}

#[test]
fn run_job_runs_any_command_as_a_job_of_the_shared_folder() {
    let storage = Storage::new();
    let output = storage.entrypoint("run-job").command(["train", "--", "sh", "-c", "pwd; id -un; exit 9"]).output();
    assert_eq!((output.stdout.as_str(), output.code), ("/workspace\nkvothe\n", 9), "{output:?}");
    assert_eq!(warnings(&output), [""; 0]);
    let files = storage
        .sh("cd /opt/bazel_cache/zephyr_jobs; grep -c '\"type\":\"line\"' train-*.jsonl; devinit job status train");
    assert!(files.starts_with("2\ntrain failed (exit code 9) after"), "{files}");
}
