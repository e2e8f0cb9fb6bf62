//! The steps of the first run, kind by kind.

use std::path::{Component, Path};

use super::super::first_run::{Apt, Download, Git, Micromamba, Node, Pip, RunAs, Script, Step};
use super::super::problem::quoted_list;
use super::values::{is_clonable, is_mode, is_repository, is_sha256, is_tag, is_url, is_version, placeholders};
use super::{Check, Place};

/// What `asset` and `member` can have in braces.
const PLACEHOLDERS: [&str; 4] = ["arch", "goarch", "tag", "version"];

impl Check<'_> {
    pub(super) fn step(&mut self, step: &Step, place: &Place) {
        let latest = &["latest"][..];
        match step {
            Step::Pixi(pixi) => {
                self.release(pixi.version.as_ref(), latest, pixi.sha256.as_ref(), place);
                self.packages(&pixi.global, &place.key("global"));
                self.packages(&pixi.channels, &place.key("channels"));
            }
            Step::Uv(uv) => {
                self.release(uv.version.as_ref(), latest, uv.sha256.as_ref(), place);
                self.packages(&uv.python, &place.key("python"));
                self.packages(&uv.tools, &place.key("tools"));
            }
            Step::Node(Node { version, sha256, global, .. }) => {
                // As nvm has it: `lts/jod`.
                let other = version.as_ref().filter(|version| !version.strip_prefix("lts/").is_some_and(is_tag));
                self.release(other, &["lts", "latest"], sha256.as_ref(), place);
                self.packages(global, &place.key("global"));
            }
            Step::Bun(bun) => {
                self.release(bun.version.as_ref(), latest, bun.sha256.as_ref(), place);
                self.packages(&bun.global, &place.key("global"));
            }
            Step::ClaudeCode(claude) => {
                self.release(claude.version.as_ref(), &["stable", "latest"], claude.sha256.as_ref(), place);
            }
            Step::Codex(codex) => self.release(codex.version.as_ref(), latest, codex.sha256.as_ref(), place),
            Step::Micromamba(micromamba) => {
                self.release(micromamba.version.as_ref(), latest, micromamba.sha256.as_ref(), place);
                self.micromamba(micromamba, place);
            }
            Step::Ollama(ollama) => {
                self.release(ollama.version.as_ref(), latest, ollama.sha256.as_ref(), place);
                self.packages(&ollama.models, &place.key("models"));
            }
            Step::CodeServer(server) => {
                self.release(server.version.as_ref(), latest, server.sha256.as_ref(), place);
                self.packages(&server.extensions, &place.key("extensions"));
            }
            Step::Download(download) => self.download(download, place),
            Step::Script(script) => self.script(script, place),
            Step::Apt(apt) => self.apt(apt, place),
            Step::Pip(pip) => self.pip(pip, place),
            Step::Npm(npm) => {
                self.packages(&npm.packages, &place.key("packages"));
                self.some_packages(npm.packages.is_empty(), place, "`packages`");
            }
            Step::Git(git) => self.git(git, place),
        }
    }

    /// What everything that is published in releases has. `words` are versions that are none.
    fn release(&mut self, version: Option<&String>, words: &[&str], sha256: Option<&String>, place: &Place) {
        if version.is_some_and(|version| !words.contains(&version.as_str()) && !is_version(version)) {
            self.error(&place.key("version"), format!("expected {} or a version such as `1.2.3`", quoted_list(words)));
        }
        self.checksum(sha256, place);
        let moving = version.is_none_or(|version| words.contains(&version.as_str()));
        if sha256.is_some() && moving && self.whole {
            let message = "a checksum without a `version` fits until the next release";
            self.warning(&place.key("sha256"), message).hint("name the version that it belongs to");
        }
    }

    fn checksum(&mut self, sha256: Option<&String>, place: &Place) {
        if sha256.is_some_and(|sha256| !is_sha256(sha256)) {
            self.error(&place.key("sha256"), "expected 64 hexadecimal digits, as `sha256sum` prints them");
        }
    }

    /// Names that become arguments of a package manager.
    fn packages(&mut self, packages: &[String], list: &Place) {
        for (index, package) in packages.iter().enumerate() {
            let place = self.item(list, index);
            if package.trim().is_empty() {
                self.error(&place, "an empty name");
            } else if package.trim_start().starts_with('-') {
                self.error(&place, "a name cannot begin with `-`: it would be taken for an option");
            } else if package.contains(char::is_control) {
                self.error(&place, "cannot have a control character in it");
            }
            self.credentials(package, &place);
        }
    }

    fn some_packages(&mut self, none: bool, place: &Place, keys: &str) {
        if none && self.whole {
            self.error(place, format!("there is nothing to install: {keys} is missing"));
        }
    }

    fn exactly_one(&mut self, given: [(&str, bool); 2], place: &Place) {
        let [(a, has_a), (b, has_b)] = given;
        if has_a == has_b && (has_a || self.whole) {
            self.error(place, format!("expected exactly one of `{a}` and `{b}`"));
        }
    }

    fn repository(&mut self, github: Option<&String>, place: &Place) {
        if github.is_some_and(|github| !is_repository(github)) {
            self.error(&place.key("github"), "expected a repository such as `OWNER/NAME`");
        }
    }

    /// Where something goes that replaces what is there.
    fn target(&mut self, to: &Path, place: &Place) {
        let to_place = place.key("to");
        if to.as_os_str().is_empty() {
            if self.whole {
                self.error(place, "`to` is missing").hint("say where it goes: an absolute path, or one in `~/`");
            }
            return;
        }
        self.absolute_or_home(to, &to_place);
        let whole = ["/", "~"].iter().any(|root| to == Path::new(root));
        if whole || to.components().any(|part| part == Component::ParentDir) {
            self.error(&to_place, "expected a path of its own, without `..`");
        }
    }

    fn download(&mut self, download: &Download, place: &Place) {
        let Download { url, github, asset, version, to, mode, sha256, unpack, strip, member, .. } = download;
        self.exactly_one([("url", url.is_some()), ("github", github.is_some())], place);
        if let Some(url) = url {
            if !is_url(url, &["https", "http", "file"]) {
                self.error(&place.key("url"), "expected a URL that begins with `https://`, `http://` or `file:///`");
            }
            self.credentials(url, &place.key("url"));
        }
        self.repository(github.as_ref(), place);
        match (github, asset) {
            (Some(_), None) if self.whole => {
                self.error(place, "`asset` is missing").hint("name the release's file, as in `tool-{arch}.tar.gz`");
            }
            (None, Some(_)) if url.is_some() => {
                _ = self.error(&place.key("asset"), "is the file of a release, and goes with `github`");
            }
            _ => {}
        }
        if asset.as_ref().is_some_and(|asset| asset.trim().is_empty() || asset.contains('/')) {
            self.error(&place.key("asset"), "expected the name of a file, without `/`");
        }
        for (key, text) in [("asset", asset), ("member", member)] {
            self.placeholders(text.as_deref().unwrap_or_default(), &place.key(key));
        }
        if version.is_some() && github.is_none() && url.is_some() {
            self.error(&place.key("version"), "is the tag of a release, and goes with `github`");
        } else if version.as_ref().is_some_and(|version| !is_tag(version)) {
            self.error(&place.key("version"), "expected the tag of a release, or `latest`");
        }
        self.target(to, place);
        self.checksum(sha256.as_ref(), place);
        let folder = *unpack && member.is_none();
        if let Some(mode) = mode {
            if !is_mode(mode) {
                self.error(&place.key("mode"), "expected permissions in octal").hint("write them as \"0755\"");
            } else if folder {
                self.error(&place.key("mode"), "is for a single file: an archive has permissions of its own");
            }
        }
        if *strip > 0 && !folder {
            self.error(&place.key("strip"), "is about an archive that is unpacked as a whole")
                .hint("add `unpack: true`; `member` is the whole name in the archive");
        }
        if member.as_ref().is_some_and(String::is_empty) {
            self.error(&place.key("member"), "expected the name of a file in the archive");
        }
    }

    fn placeholders(&mut self, text: &str, place: &Place) {
        for word in placeholders(text).filter(|word| !PLACEHOLDERS.contains(word)) {
            let word: String = word.chars().take(60).collect();
            let known: Vec<String> = PLACEHOLDERS.iter().map(|known| format!("`{{{known}}}`")).collect();
            self.error(place, format!("nothing stands for `{{{word}}}`")).hint(format!("known: {}", known.join(", ")));
        }
    }

    fn script(&mut self, script: &Script, place: &Place) {
        let Script { path, run, directory, .. } = script;
        self.exactly_one([("path", path.is_some()), ("run", run.is_some())], place);
        for (key, path) in [("path", path), ("directory", directory)] {
            if let Some(path) = path {
                self.absolute_or_home(path, &place.key(key));
            }
        }
        if run.as_ref().is_some_and(|line| line.trim().is_empty()) {
            self.error(&place.key("run"), "an empty command");
        }
    }

    fn apt(&mut self, apt: &Apt, place: &Place) {
        self.packages(&apt.packages, &place.key("packages"));
        for (index, package) in apt.packages.iter().enumerate() {
            let place = self.item(&place.key("packages"), index);
            if package.contains(char::is_whitespace) {
                self.error(&place, "a name has no blanks: one package for each entry");
            } else if package.ends_with('-') {
                self.error(&place, "apt-get would take a name with `-` at its end for a package to remove");
            }
        }
        self.some_packages(apt.packages.is_empty(), place, "`packages`");
        if apt.run_as == Some(RunAs::User) {
            self.error(&place.key("as"), "only root can install Debian packages").hint("leave it out");
        }
    }

    fn pip(&mut self, pip: &Pip, place: &Place) {
        let Pip { packages, requirements, constraints, python, .. } = pip;
        self.packages(packages, &place.key("packages"));
        self.some_packages(packages.is_empty() && requirements.is_empty(), place, "`packages` or `requirements`");
        for (index, file) in requirements.iter().enumerate() {
            self.absolute_or_home(file, &self.item(&place.key("requirements"), index));
        }
        for (key, path) in [("constraints", constraints), ("python", python)] {
            if let Some(path) = path {
                self.absolute_or_home(path, &place.key(key));
            }
        }
    }

    fn micromamba(&mut self, micromamba: &Micromamba, place: &Place) {
        self.packages(&micromamba.channels, &place.key("channels"));
        let environments = place.key("environments");
        for (name, packages) in &micromamba.environments {
            let place = environments.key(name);
            if !is_tag(name) {
                self.misnamed(&place, "not a name for an environment: letters, digits, `-`, `_` and `.`");
            }
            self.packages(packages, &place);
        }
    }

    fn git(&mut self, git: &Git, place: &Place) {
        let Git { url, github, reference, to, depth, .. } = git;
        self.exactly_one([("url", url.is_some()), ("github", github.is_some())], place);
        if let Some(url) = url {
            if !is_clonable(url) {
                self.error(&place.key("url"), "expected a URL of https, http, ssh, git or file, or `HOST:PATH`");
            }
            self.credentials(url, &place.key("url"));
        }
        self.repository(github.as_ref(), place);
        let name = |text: &str| {
            !text.is_empty() && !text.starts_with('-') && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if reference.as_ref().is_some_and(|reference| !name(reference)) {
            self.error(&place.key("ref"), "expected the name of a branch or a tag, or a commit");
        }
        self.target(to, place);
        if *depth == Some(0) {
            self.error(&place.key("depth"), "expected at least 1").hint("leave it out for the whole history");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bad, good};

    fn step(step: &str) -> String {
        format!("first_run:\n  steps:\n    - {step}\n")
    }

    /// Asserts that there is just one thing wrong with a step: its place below the step and the message's beginning.
    fn wrong(written: &str, place: &str, message: &str) {
        let found = super::super::tests::found(&step(written));
        let [one] = found.as_slice() else { panic!("{written}: {found:?}") };
        let expected = format!("`first_run.steps[0].{place}`: {message}");
        assert!(one.contains(&expected), "{written}\n  gave {one}\n  and not {expected}");
    }

    #[test]
    fn everything_that_a_step_can_be() {
        for text in [
            "pixi: {version: latest, global: [jq], channels: [conda-forge, \"https://c/x\"]}",
            "uv:",
            "uv: {version: 0.12.5, python: [\"3.12\"], tools: [ruff]}",
            "node: {version: 24}",
            "node: {version: lts/jod}",
            "node: {version: v24.19.0, global: [\"@a/b@latest\"]}",
            "claude-code: {version: stable}",
            "codex: {version: 0.169.0}",
            "micromamba: {version: 2.3.2-0, environments: {ml-3.12: [python=3.12], empty: []}}",
            "ollama: {models: [\"llama3.2:1b\"]}",
            "code-server: {extensions: [a.b]}",
            "download: {url: \"https://a/b\", to: ~/b, mode: 0755}",
            "download: {github: a/b, asset: \"b-{arch}-{tag}.zip\", version: b-v1, to: /b, unpack: true, strip: 1}",
            "download: {url: \"file:///a.tar.gz\", to: /b, member: \"x-{goarch}/b\", mode: \"755\"}",
            "script: {path: ~/s.sh, args: [--name=x, 1], directory: /w}",
            "script: {run: \"echo hello\", as: root}",
            "apt: {packages: [\"vim=2:9\", \"libc6:amd64\"], as: root}",
            "pip: {packages: [\"numpy >= 2\", \"x[y]\"], constraints: /c.txt}",
            "pip: {requirements: [~/r.txt]}",
            "npm: {packages: [a]}",
            "git: {github: spack/spack, ref: v1.1.0, to: ~/spack, depth: 2}",
            "git: {url: \"git@a.example:b/c.git\", to: /c}",
        ] {
            good(&step(text));
        }
    }

    #[test]
    fn versions_are_words_that_the_kind_knows_or_numbers() {
        wrong("uv: {version: lts}", "uv.version", "expected `latest` or a version such as `1.2.3`");
        wrong("uv: {version: stable}", "uv.version", "expected `latest` or");
        wrong("node: {version: stable}", "node.version", "expected `lts`, `latest` or");
        wrong("claude-code: {version: lts}", "claude-code.version", "expected `stable`, `latest` or");
        for version in ["../1", "1/2", "'1 2'", "-1", "\"1\\n\""] {
            wrong(&format!("bun: {{version: {version}}}"), "bun.version", "expected `latest`");
        }
    }

    #[test]
    fn checksums_have_64_digits_and_belong_to_a_version() {
        let sum = "a".repeat(64);
        good(&step(&format!("uv: {{version: 0.12.5, sha256: {sum}}}")));
        good(&step(&format!("download: {{url: \"https://a/b\", to: /b, sha256: {sum}}}")));
        wrong(&format!("uv: {{sha256: {sum}}}"), "uv.sha256", "a checksum without a `version` fits until");
        wrong(&format!("node: {{version: lts, sha256: {sum}}}"), "node.sha256", "a checksum without a `version`");
        wrong(&format!("uv: {{version: 1, sha256: {sum}b}}"), "uv.sha256", "expected 64 hexadecimal digits");
        wrong("uv: {version: 1, sha256: abc}", "uv.sha256", "expected 64 hexadecimal digits");
    }

    #[test]
    fn names_of_packages_are_no_options() {
        for (written, place) in [
            ("pixi: {global: [jq, --help]}", "pixi.global[1]"),
            ("bun: {global: [-g]}", "bun.global[0]"),
            ("node: {global: [\" --x\"]}", "node.global[0]"),
            ("apt: {packages: [-oDebug]}", "apt.packages[0]"),
            ("pip: {packages: [--index-url=x]}", "pip.packages[0]"),
            ("npm: {packages: [-g]}", "npm.packages[0]"),
            ("micromamba: {environments: {a: [-c]}}", "micromamba.environments.a[0]"),
            ("micromamba: {channels: [-c]}", "micromamba.channels[0]"),
            ("ollama: {models: [-h]}", "ollama.models[0]"),
            ("code-server: {extensions: [--x]}", "code-server.extensions[0]"),
            ("uv: {python: [-p]}", "uv.python[0]"),
        ] {
            wrong(written, place, "a name cannot begin with `-`");
        }
        wrong("uv: {tools: ['']}", "uv.tools[0]", "an empty name");
        wrong("uv: {tools: [\"a\\nb\"]}", "uv.tools[0]", "cannot have a control character");
        wrong("apt: {packages: [vim, nano-]}", "apt.packages[1]", "apt-get would take a name with `-`");
        wrong("apt: {packages: [vim nano]}", "apt.packages[0]", "a name has no blanks");
    }

    #[test]
    fn a_step_that_would_do_nothing_is_none() {
        wrong("apt: {}", "apt", "there is nothing to install: `packages` is missing");
        wrong("npm:", "npm", "there is nothing to install: `packages` is missing");
        wrong("pip: {packages: []}", "pip", "there is nothing to install: `packages` or `requirements`");
        wrong("script: {run: ' '}", "script.run", "an empty command");
    }

    #[test]
    fn what_excludes_each_other() {
        wrong("download: {to: /x}", "download", "expected exactly one of `url` and `github`");
        wrong(
            "download: {url: \"https://a/b\", github: a/b, asset: c, to: /x}",
            "download",
            "expected exactly one of `url` and `github`",
        );
        wrong("script: {}", "script", "expected exactly one of `path` and `run`");
        wrong("script: {path: /a, run: b}", "script", "expected exactly one of `path` and `run`");
        wrong("git: {to: /x}", "git", "expected exactly one of `url` and `github`");
        wrong("download: {github: a/b, to: /x}", "download", "`asset` is missing");
        wrong("download: {url: \"https://a/b\", asset: c, to: /x}", "download.asset", "is the file of a release");
        wrong(
            "download: {url: \"https://a/b\", version: \"1\", to: /x}",
            "download.version",
            "is the tag of a release",
        );
        wrong("download: {url: \"https://a/b\", to: /x, strip: 1}", "download.strip", "is about an archive");
        wrong("download: {url: \"https://a/b\", to: /x, member: m, strip: 1}", "download.strip", "is about an archive");
        wrong(
            "download: {url: \"https://a/b\", to: /x, unpack: true, mode: \"755\"}",
            "download.mode",
            "is for a single",
        );
        wrong("apt: {packages: [a], as: user}", "apt.as", "only root can install Debian packages");
    }

    #[test]
    fn places_where_things_come_from_and_go_to() {
        for url in ["ftp://a/b", "a/b", "file://a", "\"https://a/ b\"", "\"https://a/\\n\""] {
            wrong(&format!("download: {{url: {url}, to: /x}}"), "download.url", "expected a URL that begins with");
        }
        for url in ["ext::sh", "--upload-pack=x", "/srv/x"] {
            wrong(&format!("git: {{url: \"{url}\", to: /x}}"), "git.url", "expected a URL of https, http");
        }
        wrong("git: {github: spack, to: /x}", "git.github", "expected a repository such as `OWNER/NAME`");
        wrong("download: {github: ../b, asset: a, to: /x}", "download.github", "expected a repository");
        wrong("git: {github: a/b}", "git", "`to` is missing");
        wrong("git: {github: a/b, to: x}", "git.to", "expected an absolute path, or one that begins with `~/`");
        for to in ["/", "'~'", "/opt/..", "~/../other", "'~/'"] {
            wrong(&format!("git: {{github: a/b, to: {to}}}"), "git.to", "expected a path of its own");
        }
        for path in ["script: {path: s}", "script: {run: a, directory: s}", "pip: {requirements: [s]}"] {
            let kind = path.split(':').next().unwrap_or_default();
            bad(&step(path), &format!("3:{}", path.find(" s").or(path.find("[s")).unwrap() + 8));
            assert!(
                super::super::tests::found(&step(path))[0].contains(&format!("`first_run.steps[0].{kind}.")),
                "{path}"
            );
        }
    }

    #[test]
    fn values_of_downloads_and_clones() {
        let download = |rest: &str| format!("download: {{github: a/b, asset: c, to: /x, {rest}}}");
        wrong(&download("mode: rwx"), "download.mode", "expected permissions in octal");
        wrong(&download("version: a/b"), "download.version", "expected the tag of a release, or `latest`");
        wrong(&download("member: ''"), "download.member", "expected the name of a file in the archive");
        wrong(&download("member: \"{os}/x\""), "download.member", "nothing stands for `{os}`");
        wrong("download: {github: a/b, asset: \"c-{ach}\", to: /x}", "download.asset", "nothing stands for `{ach}`");
        wrong("download: {github: a/b, asset: c/d, to: /x}", "download.asset", "expected the name of a file");
        for reference in ["-x", "''", "a b"] {
            wrong(
                &format!("git: {{github: a/b, to: /x, ref: {reference}}}"),
                "git.ref",
                "expected the name of a branch",
            );
        }
        wrong("git: {github: a/b, to: /x, depth: 0}", "git.depth", "expected at least 1");
        wrong(
            "micromamba: {environments: {../a: [x]}}",
            "micromamba.environments.../a",
            "not a name for an environment",
        );
    }
}
