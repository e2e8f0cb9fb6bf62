//! A container, the home of its user, and what is published: what each test begins with.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;

use super::container::Container;
use super::published;
use super::server::Server;
use super::tree::{self, Tree};

/// See the module.
pub struct World {
    pub container: Container,
    pub server: Server,
    pub home: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(3100), Some(1100)).unwrap();
        let server = Server::start();
        published::publish(&server);
        let world = Self { container: Container::new(&home), server, home, _folder: folder };
        world.write("/opt/setup.sh", "mkdir -p ~/project; sleep 0.05; echo \"$@\" >~/project/name\n");
        world
    }

    /// Writes a file in the container, not in the home.
    pub fn write(&self, inside: &str, content: &str) {
        fs::write(self.container.path(inside), content).unwrap();
    }

    /// A config with these steps, one a line.
    pub fn config<S: AsRef<str>>(&self, steps: &[S]) -> String {
        let url = self.server.url();
        let mut text = format!(
            "first_run:\n  user: peid\n  mirrors: {{github: '{url}/github.com', node: '{url}/nodejs.org/dist', \
             claude: '{url}/downloads.claude.ai'}}\n  steps:\n"
        );
        for step in steps {
            writeln!(text, "    - {}", step.as_ref()).unwrap();
        }
        text
    }

    /// A config with a step of each kind that can be had.
    pub fn all_steps(&self) -> String {
        let mut steps = published::steps(&self.server);
        if let Some(repository) = self.repository() {
            steps.push(format!(
                "git: {{url: '{repository}', to: ~/clone, environment: {{GIT_ALLOW_PROTOCOL: 'file'}}}}"
            ));
        }
        self.config(&steps)
    }

    /// A repository to clone, if there is git.
    fn repository(&self) -> Option<String> {
        let folder = self.container.path("/srv/repository.git");
        let line =
            "git init -q . && echo text >file && git add . && git -c user.name=a -c user.email=a@b commit -qm one";
        fs::create_dir_all(&folder).unwrap();
        let made = Command::new("sh").args(["-c", line]).current_dir(&folder).output().ok()?;
        let owned = Command::new("chown").args(["-R", "3100:1100"]).arg(&folder).status().unwrap();
        (made.status.success() && owned.success()).then(|| "file:///srv/repository.git".to_owned())
    }

    /// Another container with the same home.
    pub fn beside(&self) -> Container {
        let other = Container::new(&self.home);
        fs::copy(self.container.path("/opt/setup.sh"), other.path("/opt/setup.sh")).unwrap();
        other
    }

    /// What is in the home, as text; empty if it is not there.
    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.home.join(path)).unwrap_or_default()
    }

    /// All that a first run leaves.
    pub fn tree(&self) -> Tree {
        let mut tree = tree::of(&self.home);
        for (mark, folder) in [("var", "/var/lib/devinit"), ("share", "/usr/local/share/devinit"), ("tmp", "/tmp")] {
            let found = tree::of(&self.container.path(folder));
            tree.extend(found.into_iter().map(|(name, what)| (format!("{mark}: {name}"), what)));
        }
        tree
    }

    /// As if there had been no first run.
    pub fn clear(&self) {
        tree::empty(&self.home);
        self.container.clear();
        self.server.forget();
    }
}
