use super::super::testing::{Bench, present};
use super::*;
use crate::fetch::Retry;

/// A bench with git, and a repository to clone: `main` with two commits, `feature`, the tag `v1` at the first commit.
struct Upstream {
    bench: Bench,
}

impl Upstream {
    fn new() -> Option<Self> {
        let mut bench = Bench::with_system();
        for (name, value) in [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "me"),
            ("GIT_AUTHOR_EMAIL", "me@host.example"),
            ("GIT_COMMITTER_NAME", "me"),
            ("GIT_COMMITTER_EMAIL", "me@host.example"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "protocol.file.allow"),
            ("GIT_CONFIG_VALUE_0", "always"),
        ] {
            bench.environment.insert(name.to_owned(), value.to_owned());
        }
        which::which("git").ok()?;
        let upstream = Self { bench };
        upstream.git("", &["init", "--quiet", "--initial-branch=main", "upstream"]);
        upstream.commit("upstream", "one");
        upstream.git("upstream", &["tag", "v1"]);
        upstream.git("upstream", &["checkout", "--quiet", "-b", "feature"]);
        upstream.commit("upstream", "feature");
        upstream.git("upstream", &["checkout", "--quiet", "main"]);
        upstream.commit("upstream", "two");
        Some(upstream)
    }

    /// Runs git in a folder of the bench.
    fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let mut command = std::process::Command::new("git");
        command.args(arguments).current_dir(self.bench.at(folder)).env_clear().envs(&self.bench.environment);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, folder: &str, name: &str) -> String {
        fs::write(self.bench.at(folder).join("file"), name).unwrap();
        self.git(folder, &["add", "file"]);
        self.git(folder, &["commit", "--quiet", "-m", name]);
        self.git(folder, &["rev-parse", "HEAD"])
    }

    fn url(&self) -> String {
        format!("file://{}", self.bench.at("upstream").display())
    }

    fn config(&self, reference: Option<&str>) -> Config {
        Config {
            url: Some(self.url()),
            reference: reference.map(str::to_owned),
            to: "~/clone".into(),
            ..Config::default()
        }
    }

    fn install(&mut self, config: &Config) -> Result<Installed, Failure> {
        let part = part(config, &self.bench.place);
        self.bench.install(&part)
    }

    /// The content of the file in the clone.
    fn cloned(&self) -> String {
        fs::read_to_string(self.bench.home("clone/file")).unwrap()
    }
}

#[test]
fn the_default_branch_a_branch_a_tag_and_commits_can_be_cloned() {
    let Some(mut upstream) = Upstream::new() else { return };
    let first = upstream.git("upstream", &["rev-parse", "v1"]);
    let cases = [
        (None, "two", "main"),
        (Some("feature"), "feature", "feature"),
        (Some("v1"), "one", "HEAD"),
        (Some(first.as_str()), "one", "HEAD"),
        (Some(&first[..8]), "one", "HEAD"),
        (Some("refs/heads/feature"), "feature", "HEAD"),
    ];
    for (reference, content, head) in cases {
        for depth in [None, Some(1)] {
            let config = Config { depth, ..upstream.config(reference) };
            let installed = upstream.install(&config).unwrap();
            assert_eq!(upstream.cloned(), content, "{reference:?}");
            assert_eq!(upstream.git("home/clone", &["rev-parse", "--abbrev-ref", "HEAD"]), head);
            assert_eq!(upstream.git("home/clone", &["status", "--porcelain"]), "");
            assert_eq!(upstream.git("home/clone", &["remote", "get-url", "origin"]), upstream.url());
            assert!(installed.version.is_some());
            assert!(present(&part(&config, &upstream.bench.place), &installed));
            let count = upstream.git("home/clone", &["rev-list", "--count", "HEAD"]);
            let whole = depth.is_none() || reference.is_some_and(|name| name.len() == 8);
            assert!(whole || count == "1", "{reference:?}: {count} commits");
            fs::remove_dir_all(upstream.bench.home("clone")).unwrap();
            assert!(!present(&part(&config, &upstream.bench.place), &installed));
        }
    }
}

#[test]
fn another_ref_is_checked_out_in_a_clone_that_is_there() {
    let Some(mut upstream) = Upstream::new() else { return };
    let first = upstream.git("upstream", &["rev-parse", "v1"]);
    for depth in [None, Some(1)] {
        upstream.install(&Config { depth, ..upstream.config(None) }).unwrap();
        let mine = upstream.bench.home("clone/untracked");
        fs::write(&mine, "mine").unwrap();
        for (reference, content) in
            [("v1", "one"), ("feature", "feature"), (&first, "one"), ("main", "two"), (&first[..8], "one")]
        {
            upstream.install(&Config { depth, ..upstream.config(Some(reference)) }).unwrap();
            assert_eq!(upstream.cloned(), content, "{reference}");
        }
        assert!(mine.exists());
        fs::remove_dir_all(upstream.bench.home("clone")).unwrap();
    }
}

#[test]
fn a_branch_that_is_checked_out_is_brought_forward() {
    let Some(mut upstream) = Upstream::new() else { return };
    upstream.install(&upstream.config(Some("main"))).unwrap();
    upstream.commit("upstream", "three");
    upstream.install(&upstream.config(Some("main"))).unwrap();
    assert_eq!(upstream.cloned(), "three");
    upstream.commit("home/clone", "mine");
    upstream.commit("upstream", "four");
    upstream.install(&upstream.config(Some("main"))).unwrap();
    assert_eq!(upstream.cloned(), "mine");
    assert!(upstream.bench.warnings()[0].contains("commits of its own"), "{:?}", upstream.bench.warnings());
}

#[test]
fn local_changes_are_never_lost() {
    let Some(mut upstream) = Upstream::new() else { return };
    upstream.install(&upstream.config(Some("main"))).unwrap();
    fs::write(upstream.bench.home("clone/file"), "precious").unwrap();
    let failure = upstream.install(&upstream.config(Some("v1"))).unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert!(failure.text.contains("local changes") && failure.hint.unwrap().contains("stash"));
    upstream.install(&upstream.config(Some("main"))).unwrap();
    assert!(upstream.bench.warnings()[0].contains("local changes"), "{:?}", upstream.bench.warnings());
    assert_eq!(upstream.cloned(), "precious");
}

#[test]
fn commits_that_are_on_no_branch_are_not_left_behind() {
    let Some(mut upstream) = Upstream::new() else { return };
    let first = upstream.git("upstream", &["rev-parse", "v1"]);
    upstream.install(&Config { depth: Some(1), ..upstream.config(Some(&first)) }).unwrap();
    upstream.commit("home/clone", "mine");
    let failure = upstream.install(&upstream.config(Some("main"))).unwrap_err();
    assert!(failure.retry == Retry::Never && failure.text.contains("on no branch"), "{failure}");
    assert_eq!(upstream.cloned(), "mine");
}

#[test]
fn what_is_not_a_clone_of_it_stays_as_it_is() {
    let Some(mut upstream) = Upstream::new() else { return };
    upstream.bench.file("clone/file", "precious", 0o644);
    let failure = upstream.install(&upstream.config(None)).unwrap_err();
    assert!(failure.retry == Retry::Never && failure.text.contains("not a clone"), "{failure}");
    upstream.git("home/clone", &["init", "--quiet"]);
    let failure = upstream.install(&upstream.config(None)).unwrap_err();
    assert!(failure.retry == Retry::Never && failure.text.contains("clone of"), "{failure}");
    upstream.git("home/clone", &["remote", "add", "origin", "https://me:secret@host.example/x?token=secret"]);
    let failure = upstream.install(&upstream.config(None)).unwrap_err();
    assert!(failure.text.contains("host.example/x") && !failure.text.contains("secret"), "{failure}");
    assert_eq!(upstream.cloned(), "precious");
}

#[test]
fn an_empty_folder_is_taken_and_a_file_or_a_broken_link_is_not() {
    let Some(mut upstream) = Upstream::new() else { return };
    let to = upstream.bench.home("clone");
    fs::write(&to, "").unwrap();
    assert_eq!(upstream.install(&upstream.config(None)).unwrap_err().retry, Retry::Never);
    fs::remove_file(&to).unwrap();
    std::os::unix::fs::symlink("nowhere", &to).unwrap();
    assert_eq!(upstream.install(&upstream.config(None)).unwrap_err().retry, Retry::Never);
    fs::remove_file(&to).unwrap();
    fs::create_dir(&to).unwrap();
    upstream.install(&upstream.config(None)).unwrap();
    assert_eq!(upstream.cloned(), "two");
}

#[test]
fn a_ref_that_is_not_there_is_no_use_trying_again_and_a_server_that_is_away_is() {
    let Some(mut upstream) = Upstream::new() else { return };
    for name in ["none", "heads/main", "0123abcd", "-u", ""] {
        let failure = upstream.install(&upstream.config(Some(name))).unwrap_err();
        assert_eq!(failure.retry, Retry::Never, "{failure}");
        assert!(failure.text.contains(name), "{failure}");
    }
    for reference in [None, Some("main")] {
        let gone = Config { url: Some(format!("{}-gone", upstream.url())), ..upstream.config(reference) };
        assert_eq!(upstream.install(&gone).unwrap_err().retry, Retry::Soon);
    }
    assert!(!upstream.bench.home("clone").exists());
}

#[test]
fn what_a_killed_attempt_has_left_is_not_in_the_way() {
    let Some(mut upstream) = Upstream::new() else { return };
    fs::create_dir_all(upstream.bench.at("work/clone/.git/objects")).unwrap();
    upstream.install(&upstream.config(Some("v1"))).unwrap();
    assert_eq!(upstream.cloned(), "one");
    assert!(!upstream.bench.at("work/clone").exists());
}

#[test]
fn submodules_come_along_if_they_are_asked_for() {
    let Some(mut upstream) = Upstream::new() else { return };
    upstream.git("", &["clone", "--quiet", "upstream", "part"]);
    let url = format!("file://{}", upstream.bench.at("part").display());
    upstream.git("upstream", &["submodule", "--quiet", "add", &url, "part"]);
    upstream.git("upstream", &["commit", "--quiet", "-m", "part"]);
    upstream.install(&upstream.config(None)).unwrap();
    assert!(!upstream.bench.home("clone/part/file").exists());
    for depth in [None, Some(1)] {
        fs::remove_dir_all(upstream.bench.home("clone")).unwrap();
        upstream.install(&Config { submodules: true, depth, ..upstream.config(None) }).unwrap();
        assert!(upstream.bench.home("clone/part/file").exists());
        assert_eq!(upstream.git("home/clone", &["status", "--porcelain"]), "");
    }
}

#[test]
fn a_mirror_of_github_is_asked_and_leaves_no_trace_in_the_clone() {
    let Some(mut upstream) = Upstream::new() else { return };
    let mirror = upstream.bench.at("mirror");
    fs::create_dir_all(mirror.join("me")).unwrap();
    fs::rename(upstream.bench.at("upstream"), mirror.join("me/project")).unwrap();
    upstream.bench.sources.mirrors.github = Some(format!("file://{}/", mirror.display()));
    let config = Config { url: None, github: Some("me/project".to_owned()), ..upstream.config(Some("v1")) };
    upstream.install(&config).unwrap();
    assert_eq!(upstream.cloned(), "one");
    let settings = fs::read_to_string(upstream.bench.home("clone/.git/config")).unwrap();
    assert!(settings.contains("url = https://github.com/me/project\n") && !settings.contains("mirror"), "{settings}");
    upstream.install(&Config { reference: Some("feature".to_owned()), ..config }).unwrap();
    assert_eq!(upstream.cloned(), "feature");
}

#[test]
fn a_bundle_is_filled_and_cloned_from_without_the_server() {
    let Some(mut upstream) = Upstream::new() else { return };
    let bundle = upstream.bench.at("bundle");
    upstream.git("upstream", &["checkout", "--quiet", "--detach"]);
    let hidden = upstream.commit("upstream", "on no branch");
    upstream.git("upstream", &["update-ref", "refs/pull/1/head", &hidden]);
    upstream.git("upstream", &["checkout", "--quiet", "main"]);
    let cases = [
        (None, "two"),
        (Some("feature"), "feature"),
        (Some("v1"), "one"),
        (Some(hidden.as_str()), "on no branch"),
        (Some("refs/pull/1/head"), "on no branch"),
    ];
    for (reference, _) in cases {
        let part = part(&upstream.config(reference), &upstream.bench.place);
        assert!(upstream.bench.collect(&part, &bundle).unwrap());
    }
    let url = upstream.url();
    let configs = cases.map(|(reference, content)| (upstream.config(reference), content));
    fs::remove_dir_all(upstream.bench.at("upstream")).unwrap();
    upstream.bench.sources.bundle = Some(bundle);
    for (config, content) in configs {
        upstream.install(&Config { depth: Some(1), ..config.clone() }).unwrap();
        assert_eq!(upstream.cloned(), content, "{config:?}");
        assert_eq!(upstream.git("home/clone", &["remote", "get-url", "origin"]), url);
        fs::remove_dir_all(upstream.bench.home("clone")).unwrap();
    }
}

#[test]
fn submodules_are_not_part_of_a_bundle_and_that_is_said() {
    let Some(mut upstream) = Upstream::new() else { return };
    let part = part(&Config { submodules: true, ..upstream.config(None) }, &upstream.bench.place);
    let bundle = upstream.bench.at("bundle");
    assert!(!upstream.bench.collect(&part, &bundle).unwrap());
}

#[test]
fn git_asks_nothing_and_gets_credentials_by_variables_only() {
    let mut bench = Bench::new();
    bench.tool("git", "for to; do :; done; /bin/mkdir -p \"$to/.git\"");
    let config = Config {
        url: Some("https://me:secret@host.example/a/b.git".to_owned()),
        to: "~/clone".into(),
        depth: Some(2),
        ..Config::default()
    };
    let part = part(&config, &bench.place);
    bench.install(&part).unwrap();
    let calls = bench.calls();
    let [work, stage] = ["work", "work/clone"].map(|path| bench.at(path).to_str().unwrap().to_owned());
    let expected = ["git", "-C", &work, "clone", "--depth=2", "--", "https://host.example/a/b.git", &stage];
    assert_eq!(calls[0].command, expected);
    let variables = [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_HTTP_LOW_SPEED_LIMIT", "1000"),
        ("GIT_HTTP_LOW_SPEED_TIME", "60"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "url.https://me:secret@host.example/a/b.git.insteadOf"),
        ("GIT_CONFIG_VALUE_0", "https://host.example/a/b.git"),
        ("GIT_CONFIG_NOSYSTEM", ""),
    ];
    for (name, value) in variables {
        assert_eq!(calls[0].variable(name), value, "{name}");
    }
    assert!(calls.iter().all(|call| !call.command.join(" ").contains("secret")));
    let told = format!("{:?}{}{}", bench.reports, part.installer.summary(), part.installer.key());
    assert!(!told.contains("secret"), "{told}");
    assert_eq!(part.installer.summary(), "git clone https://host.example/a/b.git '~/clone'".replace('\'', ""));
}

#[test]
fn without_git_it_is_said_how_to_get_it() {
    let mut bench = Bench::new();
    let config = Config { github: Some("a/b".to_owned()), to: "~/clone".into(), ..Config::default() };
    let failure = bench.install(&part(&config, &bench.place)).unwrap_err();
    assert!(failure.retry == Retry::Never && failure.hint.unwrap().contains("apt"));
}
