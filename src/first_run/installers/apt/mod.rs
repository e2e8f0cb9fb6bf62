//! Debian packages, by apt-get.

mod dpkg;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use self::dpkg::{Packages, Wanted};
use super::command::{refuse_options, require, shown};
use crate::config::first_run::Apt as Config;
use crate::fetch::{Failure, failure};
use crate::first_run::job::Run;
use crate::first_run::task::Part;
use crate::first_run::{Installed, Installer, Job, Place};

/// The age from which the lists of packages are fetched anew.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);
/// Waits for another apt, tells of lists that could not be fetched (without that `update` ends well with no network at
/// all), keeps changed configuration files as they are, and writes plain text.
const OPTIONS: [&str; 12] = [
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o",
    "Acquire::Retries=3",
    "-o",
    "APT::Update::Error-Mode=any",
    "-o",
    "Dpkg::Use-Pty=0",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
];

struct Apt {
    packages: Vec<String>,
    /// `/`.
    root: PathBuf,
}

/// A step `apt`.
#[must_use]
pub fn part(step: &Config, _: &Place) -> Part {
    Part { root: true, ..Part::main(Apt { packages: step.packages.clone(), root: PathBuf::from("/") }) }
}

impl Installer for Apt {
    fn key(&self) -> Value {
        json!({"apt": self.packages})
    }

    fn summary(&self) -> String {
        let command = ["apt-get", "install", "--no-install-recommends"];
        shown(command.into_iter().chain(self.packages.iter().map(String::as_str)))
    }

    fn install(&self, job: &mut Job<'_>) -> Result<Installed, Failure> {
        self.check_names()?;
        for program in ["apt-get", "dpkg"] {
            require(job, program, "an apt step needs an image of Debian or Ubuntu, or one derived from them")?;
        }
        let _alone = self.wait_for_other_steps(job)?;
        self.repair(job)?;
        let before = self.installed();
        if self.is_clear() && self.all_in(&before) {
            return Ok(Installed::default());
        }
        self.make_known(job)?;
        job.stage("installing packages");
        job.run(&self.install_run(&[])).map_err(|failure| {
            let hint = "the log says why; `apt-get -f install` mends broken dependencies";
            job.not_in_bundle(failure.context("apt-get install").hint(hint))
        })?;
        Ok(Installed { version: None, files: self.traces(&before) })
    }

    /// A record may outlive the container whose packages it tells of.
    fn present(&self, installed: &Installed) -> bool {
        self.all_in(&self.installed()) && installed.files.iter().all(|path| path.exists())
    }
}

impl Apt {
    fn check_names(&self) -> Result<(), Failure> {
        refuse_options(&self.packages)?;
        match self.packages.iter().find(|name| name.ends_with('-')) {
            Some(name) => Err(Failure::permanent(format!("apt-get would take {name:?} for a package to remove"))
                .hint("an apt step only installs: leave it out")),
            None => Ok(()),
        }
    }

    /// Steps of one run follow one another: apt-get waits for dpkg's lock, but not for that of the lists.
    fn wait_for_other_steps(&self, job: &mut Job<'_>) -> Result<File, Failure> {
        let folder = self.root.join("var/lib/dpkg");
        let lock = File::open(&folder).map_err(failure::io(format!("failed to open {}", folder.display())))?;
        if lock.try_lock().is_err() {
            job.stage("waiting for another apt step");
            lock.lock().map_err(failure::io(format!("failed to lock {}", folder.display())))?;
        }
        Ok(lock)
    }

    /// Finishes what a dpkg that was interrupted has left behind: apt-get refuses to work before.
    fn repair(&self, job: &mut Job<'_>) -> Result<(), Failure> {
        // apt's own test: numbered files in here are updates of the status that were not merged into it.
        let is_numbered = |entry: fs::DirEntry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
        let updates = fs::read_dir(self.root.join("var/lib/dpkg/updates"));
        let is_behind = updates.is_ok_and(|entries| entries.flatten().any(is_numbered));
        if !is_behind && !self.installed().unsettled {
            return Ok(());
        }
        job.warn("dpkg was interrupted: finishing what it began");
        let configure = Run::new(["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"]);
        if job.run(&quiet(configure)).is_err() {
            // Of packages that came one by one, some may lack what they depend on.
            let fix = Run::new(["apt-get"].into_iter().chain(OPTIONS).chain(["install", "-y", "--fix-broken"]));
            job.run(&quiet(fix)).map_err(|failure| failure.context("dpkg was interrupted and cannot be repaired"))?;
        }
        Ok(())
    }

    /// Fetches the lists of packages, if the ones that are there are old or lack a package.
    fn make_known(&self, job: &mut Job<'_>) -> Result<(), Failure> {
        if self.lists_are_fresh() && job.run(&self.install_run(&["--simulate"])).is_ok() {
            return Ok(());
        }
        job.stage("fetching the lists of packages");
        let update = Run::new(["apt-get"].into_iter().chain(OPTIONS).chain(["update"]));
        let updated = job.run(&quiet(update)).map_err(|failure| failure.context("apt-get update"));
        // One source of many may fail, and the package be known from another.
        match (job.run(&self.install_run(&["--simulate"])), updated) {
            (Ok(_), Ok(_)) => Ok(()),
            (Ok(_), Err(failure)) => {
                job.warn(format!("{failure}; going on with the lists of packages that are there"));
                Ok(())
            }
            (Err(_), Err(failure)) => Err(job.not_in_bundle(failure)),
            // It reads nothing but files: another try would end in the same way.
            (Err(_), Ok(_)) => Err(Failure::permanent(
                "apt-get knows no way to install these packages: a name is wrong, or they are in conflict",
            )
            .hint("the log names them; `apt-cache policy NAME` says what this release has")),
        }
    }

    /// Whether lists of packages are there, and were fetched within the last day.
    ///
    /// The files in there have the server's times; the folders have those of the last `apt-get update`.
    fn lists_are_fresh(&self) -> bool {
        let lists = self.root.join("var/lib/apt/lists");
        let is_index = |entry: fs::DirEntry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.contains("_Packages") || name.ends_with("_InRelease") || name.ends_with("_Release")
        };
        let fetched = [lists.clone(), lists.join("partial")].into_iter().filter_map(|path| modified(&path)).max();
        let is_new = fetched.is_some_and(|time| SystemTime::now().duration_since(time).unwrap_or_default() < OLD);
        is_new && fs::read_dir(&lists).is_ok_and(|entries| entries.flatten().any(is_index))
    }

    fn install_run(&self, options: &[&str]) -> Run {
        let mut command: Vec<&str> = ["apt-get"].into_iter().chain(OPTIONS).collect();
        command.extend(["install", "-y", "--no-install-recommends"]);
        if self.packages.iter().any(|name| name.contains('=')) {
            // A version that is asked for may be older than what the image has.
            command.push("--allow-downgrades");
        }
        command.extend(options);
        command.push("--");
        command.extend(self.packages.iter().map(String::as_str));
        quiet(Run::new(command))
    }

    fn installed(&self) -> Packages {
        Packages::read(&self.root.join("var/lib/dpkg/status"))
    }

    fn all_in(&self, packages: &Packages) -> bool {
        self.packages.iter().all(|name| packages.has(&Wanted::parse(name)))
    }

    fn is_clear(&self) -> bool {
        self.packages.iter().all(|name| Wanted::parse(name) != Wanted::Unclear)
    }

    /// By which it can be told later that packages are there whose names the config does not say: what dpkg keeps about
    /// those that are new.
    fn traces(&self, before: &Packages) -> Vec<PathBuf> {
        if self.is_clear() {
            return Vec::new();
        }
        let info = self.root.join("var/lib/dpkg/info");
        let (before, after) = (before.names(), self.installed().names());
        after.difference(&before).map(|name| info.join(format!("{name}.list"))).filter(|path| path.exists()).collect()
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|about| about.modified()).ok()
}

/// Without questions, and without services being started: those are devinit's. invoke-rc.d starts nothing in runlevel
/// 1, and asks the image's policy-rc.d besides, if there is one.
fn quiet(run: Run) -> Run {
    run.env("DEBIAN_FRONTEND", "noninteractive").env("NEEDRESTART_MODE", "a").env("RUNLEVEL", "1")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, present, words};
    use super::dpkg::STATUS;
    use super::*;
    use crate::fetch::Retry;

    /// A bench with a root in which jq is installed and the lists are new; tmux can be installed.
    struct Image {
        bench: Bench,
        root: PathBuf,
    }

    impl Image {
        fn new() -> Self {
            let mut bench = Bench::new();
            let root = bench.at("root");
            for folder in ["var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/apt/lists/partial"] {
                fs::create_dir_all(root.join(folder)).unwrap();
            }
            fs::write(root.join("var/lib/dpkg/status"), STATUS).unwrap();
            fs::write(root.join("var/lib/apt/lists/host_dists_bookworm_InRelease"), "").unwrap();
            bench.environment.insert("ROOT".to_owned(), root.to_str().unwrap().to_owned());
            bench.tool("dpkg", "");
            let image = Self { bench, root };
            image.apt("");
            image
        }

        /// An apt-get that installs tmux; other lines of shell come first.
        fn apt(&self, lines: &str) {
            let install = "case \"$*\" in *simulate*|*update*|*fix-broken*) ;; *install*)\n\
                printf '\\nPackage: tmux\\nStatus: install ok installed\\nArchitecture: amd64\\nVersion: 3\\n' >>\"$ROOT/var/lib/dpkg/status\"\n\
                : >\"$ROOT/var/lib/dpkg/info/tmux.list\" ;;\nesac";
            self.bench.tool("apt-get", &format!("{lines}\n{install}"));
        }

        fn part(&self, packages: &[&str]) -> Part {
            Part::main(Apt { packages: words(packages), root: self.root.clone() })
        }

        /// What apt-get and dpkg were called for, without the options that are always there.
        fn calls(&self) -> Vec<String> {
            let options = OPTIONS.join(" ") + " ";
            self.bench.commands().iter().map(|command| command.join(" ").replace(&options, "")).collect()
        }

        fn age_lists(&self) {
            let old = SystemTime::now() - OLD * 2;
            for folder in ["var/lib/apt/lists", "var/lib/apt/lists/partial"] {
                File::open(self.root.join(folder)).unwrap().set_modified(old).unwrap();
            }
        }
    }

    const SIMULATE: &str = "apt-get install -y --no-install-recommends --simulate -- tmux";
    const INSTALL: &str = "apt-get install -y --no-install-recommends -- tmux";

    #[test]
    fn packages_are_installed_without_questions_and_without_starting_services() {
        let mut image = Image::new();
        let part = image.part(&["tmux"]);
        assert!(!present(&part, &Installed::default()));
        let installed = image.bench.install(&part).unwrap();
        assert!(present(&part, &installed));
        let calls = image.bench.calls();
        let mut expected = words(&["apt-get"]);
        expected.extend(words(&OPTIONS));
        expected.extend(words(&["install", "-y", "--no-install-recommends", "--", "tmux"]));
        let last = calls.last().unwrap();
        assert_eq!(last.command, expected);
        let variables = ["DEBIAN_FRONTEND", "NEEDRESTART_MODE", "RUNLEVEL"].map(|name| last.variable(name));
        assert_eq!(variables, ["noninteractive", "a", "1"]);
    }

    #[test]
    fn lists_are_fetched_only_if_they_are_missing_old_or_lack_a_package() {
        let mut image = Image::new();
        let part = image.part(&["tmux"]);
        let updated = [SIMULATE, "apt-get update", SIMULATE, INSTALL];
        image.bench.install(&part).unwrap();
        assert_eq!(image.calls(), [SIMULATE, INSTALL]);

        let mut image = Image::new();
        image.age_lists();
        image.bench.install(&part_of(&image)).unwrap();
        assert_eq!(image.calls(), updated[1..]);

        let mut image = Image::new();
        fs::remove_file(image.root.join("var/lib/apt/lists/host_dists_bookworm_InRelease")).unwrap();
        image.bench.install(&part_of(&image)).unwrap();
        assert_eq!(image.calls(), updated[1..]);

        let mut image = Image::new();
        image.apt("case \"$*\" in *update*) : >\"$ROOT/new\";; *simulate*) [ -e \"$ROOT/new\" ] || exit 100;; esac");
        image.bench.install(&part_of(&image)).unwrap();
        assert_eq!(image.calls(), updated);
    }

    fn part_of(image: &Image) -> Part {
        image.part(&["tmux"])
    }

    #[test]
    fn nothing_is_called_for_what_the_image_has() {
        let mut image = Image::new();
        let part = image.part(&["jq", "g++", "c++-compiler"]);
        image.bench.install(&part).unwrap();
        assert_eq!(image.calls(), [] as [&str; 0]);
    }

    #[test]
    fn an_unknown_package_is_no_use_trying_again_and_a_network_that_is_down_is() {
        let mut image = Image::new();
        let part = image.part(&["tmux"]);
        image.apt("case \"$*\" in *simulate*) exit 100;; esac");
        assert_eq!(image.bench.install(&part).unwrap_err().retry, Retry::Never);
        image.apt("exit 100");
        let failure = image.bench.install(&part).unwrap_err();
        assert!(failure.retry == Retry::Soon && failure.text.contains("apt-get update"), "{failure}");
    }

    #[test]
    fn with_a_bundle_a_missing_network_is_named_and_not_waited_for() {
        let mut image = Image::new();
        image.bench.sources.bundle = Some(image.bench.at("bundle"));
        image.apt("exit 100");
        let part = image.part(&["tmux"]);
        let failure = image.bench.install(&part).unwrap_err();
        assert!(failure.text.starts_with("not in the bundle; needs a network: apt-get update"), "{failure}");
        assert_eq!(failure.retry, Retry::Never);
    }

    #[test]
    fn a_source_that_fails_does_not_keep_packages_of_others_away() {
        let mut image = Image::new();
        image.age_lists();
        image.apt("case \"$*\" in *update*) exit 100;; esac");
        let part = image.part(&["tmux"]);
        image.bench.install(&part).unwrap();
        assert!(image.bench.warnings()[0].contains("apt-get update"), "{:?}", image.bench.warnings());
    }

    #[test]
    fn an_interrupted_dpkg_is_repaired_first() {
        let mut image = Image::new();
        let configure = "dpkg --force-confdef --force-confold --configure -a";
        let status = STATUS.replace("hold ok installed", "install ok half-configured");
        fs::write(image.root.join("var/lib/dpkg/status"), &status).unwrap();
        let part = image.part(&["tmux"]);
        image.bench.install(&part).unwrap();
        assert_eq!(image.calls(), [configure, SIMULATE, INSTALL]);

        let mut image = Image::new();
        fs::write(image.root.join("var/lib/dpkg/updates/0001"), "").unwrap();
        image.bench.tool("dpkg", "exit 1");
        image.bench.install(&part_of(&image)).unwrap();
        assert_eq!(image.calls(), [configure, "apt-get install -y --fix-broken", SIMULATE, INSTALL]);
    }

    #[test]
    fn packages_of_a_file_are_known_by_what_dpkg_keeps_about_them() {
        let mut image = Image::new();
        let part = image.part(&["/opt/tmux.deb"]);
        let installed = image.bench.install(&part).unwrap();
        assert_eq!(installed.files, [image.root.join("var/lib/dpkg/info/tmux.list")]);
        assert!(present(&part, &installed));
        fs::remove_file(&installed.files[0]).unwrap();
        assert!(!present(&part, &installed));
    }

    #[test]
    fn an_older_version_may_be_asked_for() {
        let mut image = Image::new();
        let part = image.part(&["jq=1.5-1"]);
        image.bench.install(&part).unwrap();
        let last = image.calls().pop().unwrap();
        assert_eq!(last, "apt-get install -y --no-install-recommends --allow-downgrades -- jq=1.5-1");
    }

    #[test]
    fn options_and_removals_are_refused_and_an_image_without_apt_is_named_as_such() {
        let mut image = Image::new();
        for name in ["-oDPkg::Pre-Invoke::=sh", "tmux-"] {
            let part = image.part(&[name]);
            let failure = image.bench.install(&part).unwrap_err();
            assert!(failure.retry == Retry::Never && failure.text.contains(name), "{failure}");
        }
        assert_eq!(image.calls(), [] as [&str; 0]);
        fs::remove_file(image.bench.at("bin/apt-get")).unwrap();
        let part = image.part(&["tmux"]);
        let failure = image.bench.install(&part).unwrap_err();
        assert!(failure.retry == Retry::Never && failure.text.contains("apt-get"), "{failure}");
        assert!(failure.hint.unwrap().contains("Debian"));
    }

    #[test]
    fn it_is_a_matter_of_root() {
        let config = Config { packages: words(&["tmux", "jq"]), ..Config::default() };
        let part = part(&config, &Place::system());
        assert!(part.root);
        assert_eq!(part.installer.summary(), "apt-get install --no-install-recommends tmux jq");
    }
}
