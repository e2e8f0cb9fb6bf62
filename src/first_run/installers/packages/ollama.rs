//! `ollama pull`, with a server for the time being where none runs.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use serde_json::{Value, json};

use super::super::command::{refuse_options, require, shown};
use super::{part, some};
use crate::config::first_run::Ollama as Config;
use crate::fetch::{Failure, failure};
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};
use crate::sys;

/// How long a server may take until it listens: it looks for GPUs first.
const START: Duration = Duration::from_secs(60);
/// How long a server may take to end.
const STOP: Duration = Duration::from_secs(5);
/// Between two looks at a server that starts or ends.
const PAUSE: Duration = Duration::from_millis(50);

struct Models(Vec<String>);

/// `models` of a step `ollama`.
#[must_use]
pub fn ollama(step: &Config, _: &Place) -> Option<Part> {
    some(&step.models, || part("models", None, Models(step.models.clone())))
}

impl Installer for Models {
    fn key(&self) -> Value {
        json!({"ollama.models": self.0})
    }

    fn summary(&self) -> String {
        let pull = |model: &String| shown(["ollama", "pull", model]);
        self.0.iter().map(pull).collect::<Vec<_>>().join(" && ")
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        refuse_options(&self.0)?;
        let program = require(job, "ollama", "the step `ollama` itself brings it: run that first")?;
        // It knows where a server should be (OLLAMA_HOST), and fails if none answers there.
        let server = match job.run(&Run::new(["ollama", "list"])) {
            Ok(_) => None,
            Err(_) => Some(Server::start(job, &program)?),
        };
        let mut installed = Installed::default();
        for model in &self.0 {
            job.stage(format!("pulling {model}"));
            let mut run = Run::new(["ollama", "pull", model]);
            if let Some(server) = &server {
                run = run.env("OLLAMA_HOST", server.address.to_string());
            }
            job.run(&run).map_err(|failure| job.not_in_bundle(failure.context(format!("ollama pull {model}"))))?;
            installed.files.extend(Some(manifest(&folder(job), model)).filter(|path| path.exists()));
        }
        Ok(installed)
    }
}

/// A server that ends with this value.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts one on a free port of the loopback interface and waits until it listens.
    fn start(job: &mut Job<'_>, program: &Path) -> Result<Self, Failure> {
        job.stage("starting ollama serve");
        fs::create_dir_all(&job.work).map_err(failure::io(format!("failed to make {}", job.work.display())))?;
        let log = job.work.join("ollama-serve.log");
        let output = File::create(&log).map_err(failure::io(format!("failed to make {}", log.display())))?;
        let errors = output.try_clone().map_err(failure::io(format!("failed to share {}", log.display())))?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.map_err(failure::io("failed to find a free port"))?;
        let child = Command::new(program)
            .arg("serve")
            .env_clear()
            .envs(job.environment)
            .env("OLLAMA_HOST", address.to_string())
            .current_dir(&job.owner.account.home)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| Failure::permanent(format!("ollama serve cannot be started: {error}")))?;
        let mut server = Self { child, address };
        server.wait_until_it_listens().map_err(|why| {
            let last = fs::read(&log).ok().and_then(|text| last_line(&text)).unwrap_or_default();
            Failure::passing(format!("ollama serve {why}: {last}")).hint(format!("its output is in {}", log.display()))
        })?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self) -> Result<(), String> {
        let begin = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended with {status}"));
            }
            if begin.elapsed() >= START {
                return Err(format!("does not listen after {} s", START.as_secs()));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let asked = i32::try_from(self.child.id()).map(|pid| sys::kill(pid, libc::SIGTERM));
        let begin = Instant::now();
        while asked.is_ok() && begin.elapsed() < STOP {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn last_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().rev().find(|line| !line.trim().is_empty()).map(|line| crate::words::clean(line, 200))
}

/// Where ollama keeps models: `OLLAMA_MODELS`, or `~/.ollama/models`.
fn folder(job: &Job<'_>) -> PathBuf {
    let given = job.environment.get("OLLAMA_MODELS").map(PathBuf::from).filter(|path| path.is_absolute());
    given.unwrap_or_else(|| job.owner.account.home.join(".ollama/models"))
}

/// The file that stands for a model, `[[HOST/]USER/]NAME[:TAG]`: it is written once all parts of the model are there.
fn manifest(folder: &Path, model: &str) -> PathBuf {
    let model = model.split_once("://").map_or(model, |(_, rest)| rest);
    let (name, tag) = match model.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (model, "latest"),
    };
    let host = match name.matches('/').count() {
        0 => "registry.ollama.ai/library",
        1 => "registry.ollama.ai",
        _ => "",
    };
    folder.join("manifests").join(host).join(name).join(tag)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Bench, present, words};
    use super::*;

    fn part(bench: &Bench) -> Part {
        ollama(&Config { models: words(&["llama3.2", "qwen3:4b"]), ..Config::default() }, &bench.place).unwrap()
    }

    /// An ollama whose `list` fails, whose server listens, by means of Python, and whose `pull` does this.
    fn without_server(bench: &Bench, pull: &str) {
        let listen = "import os, socket, time\nhost, port = os.environ['OLLAMA_HOST'].split(':')\n\
            s = socket.create_server((host, int(port)))\ntime.sleep(60)";
        let serve = format!("echo $$ >\"$HOME/server\"\nexec python3 -c \"{listen}\"");
        bench.tool("ollama", &format!("case \"$1\" in list) exit 1;; pull) {pull};; serve) {serve}\n;; esac"));
    }

    fn server_is_gone(bench: &Bench) -> bool {
        let pid = fs::read_to_string(bench.home("server")).unwrap();
        !Path::new("/proc").join(pid.trim()).exists()
    }

    #[test]
    fn a_server_that_runs_is_used() {
        let mut bench = Bench::new();
        bench.tool("ollama", "");
        bench.environment.insert("OLLAMA_HOST".to_owned(), "0.0.0.0:4711".to_owned());
        bench.install(&part(&bench)).unwrap();
        let calls = bench.calls();
        let commands: Vec<_> = calls.iter().map(|call| call.command[1..].join(" ")).collect();
        assert_eq!(commands, ["list", "pull llama3.2", "pull qwen3:4b"]);
        assert!(calls.iter().all(|call| call.variable("OLLAMA_HOST") == "0.0.0.0:4711"));
    }

    #[test]
    fn without_a_server_one_is_started_on_the_loopback_interface_and_ended() {
        let mut bench = Bench::with_system();
        without_server(&bench, "exit 0");
        bench.install(&part(&bench)).unwrap();
        let calls = bench.calls();
        let commands: Vec<_> = calls.iter().map(|call| call.command[1..].join(" ")).collect();
        assert_eq!(commands, ["list", "serve", "pull llama3.2", "pull qwen3:4b"]);
        let host = calls[1].variable("OLLAMA_HOST");
        assert!(host.starts_with("127.0.0.1:"), "{host}");
        assert!(calls[2..].iter().all(|call| call.variable("OLLAMA_HOST") == host));
        assert!(server_is_gone(&bench));
    }

    #[test]
    fn the_server_ends_also_if_a_model_cannot_be_pulled() {
        let mut bench = Bench::with_system();
        without_server(&bench, "exit 1");
        let failure = bench.install(&part(&bench)).unwrap_err();
        assert!(failure.text.starts_with("ollama pull llama3.2"), "{failure}");
        assert!(server_is_gone(&bench));
    }

    #[test]
    fn a_server_that_does_not_start_is_told_with_its_last_words() {
        let mut bench = Bench::new();
        bench.tool("ollama", "[ \"$1\" = serve ] && printf 'Error: no room\\n\\n' >&2; exit 1");
        let failure = bench.install(&part(&bench)).unwrap_err();
        assert!(failure.text.ends_with("Error: no room") && failure.text.contains("exit status: 1"), "{failure}");
    }

    #[test]
    fn a_model_is_there_with_its_manifest() {
        let mut bench = Bench::new();
        bench.tool("ollama", "");
        let path = bench.file(".ollama/models/manifests/registry.ollama.ai/library/llama3.2/latest", "", 0o644);
        let part = part(&bench);
        let installed = bench.install(&part).unwrap();
        assert_eq!(installed.files, std::slice::from_ref(&path));
        fs::remove_file(path).unwrap();
        assert!(!present(&part, &installed));
    }

    #[test]
    fn manifests_are_named_after_registry_user_model_and_tag() {
        for (model, expected) in [
            ("qwen3:4b", "registry.ollama.ai/library/qwen3/4b"),
            ("me/model", "registry.ollama.ai/me/model/latest"),
            ("hf.co/me/model:Q4", "hf.co/me/model/Q4"),
            ("localhost:5000/me/model", "localhost:5000/me/model/latest"),
        ] {
            assert_eq!(manifest(Path::new("/m"), model), Path::new("/m/manifests").join(expected), "{model}");
        }
    }
}
