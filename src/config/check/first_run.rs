//! The sections `first_run` and `proxy`: what is common to all steps.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::first_run::{Common, Mirrors, Proxies, Proxy, Step};
use super::super::problem::{nearest, quoted_list};
use super::values::{has_credentials, is_proxy, is_step_name, is_url};
use super::{Check, Place, circles};

/// The most steps that run side by side.
const PARALLEL: u32 = 64;
/// The most often that a step is tried again: with growing pauses, that is hours.
const RETRIES: u32 = 20;

impl Check<'_> {
    pub(super) fn proxy(&mut self) {
        let Proxy::Set(Proxies { http, https, all, no_proxy }) = &self.config.proxy else { return };
        let place = Place::of(&["proxy"]);
        for (key, url) in [("http", http), ("https", https), ("all", all)] {
            let Some(url) = url else { continue };
            let place = place.key(key);
            if !is_proxy(url) {
                self.error(&place, "expected a proxy such as `http://HOST:PORT`")
                    .hint("schemes are `http`, `https`, `socks5`, `socks5h`, `socks4` and `socks4a`");
            }
            self.credentials(url, &place);
        }
        if no_proxy.as_ref().is_some_and(|hosts| hosts.contains(char::is_control)) {
            self.error(&place.key("no_proxy"), "expected names of hosts, parted by commas");
        }
    }

    pub(super) fn first_run(&mut self) {
        let first_run = &self.config.first_run;
        let place = Place::of(&["first_run"]);
        self.account(first_run.user.as_ref(), &place.key("user"));
        if !(1..=PARALLEL).contains(&first_run.parallel) {
            self.error(&place.key("parallel"), format!("expected a number from 1 to {PARALLEL}"));
        }
        self.mirrors(&first_run.mirrors, &place.key("mirrors"));
        self.absolute_if_any(first_run.bundle.as_ref(), &place.key("bundle"));
        for (index, path) in first_run.certificates.iter().enumerate() {
            self.absolute(path, &self.item(&place.key("certificates"), index));
        }
        let places = self.step_places(&place.key("steps"));
        for (step, place) in first_run.steps.iter().zip(&places) {
            self.common(&step.common(), place);
            self.step(step, place);
        }
        self.step_names(&first_run.steps, &places);
        self.step_needs(&first_run.steps, &places);
    }

    /// Where the settings of each step stand: `first_run.steps[2].uv`.
    fn step_places(&self, list: &Place) -> Vec<Place> {
        let steps = self.config.first_run.steps.iter().enumerate();
        steps.map(|(index, step)| self.item(list, index).key(step.kind())).collect()
    }

    fn mirrors(&mut self, mirrors: &Mirrors, place: &Place) {
        let Mirrors { github, node, claude, conda, pypi, npm } = mirrors;
        let all =
            [("github", github), ("node", node), ("claude", claude), ("conda", conda), ("pypi", pypi), ("npm", npm)];
        for (key, url) in all {
            let Some(url) = url else { continue };
            let place = place.key(key);
            if !is_url(url, &["https", "http", "file"]) {
                self.error(&place, "expected a URL that begins with `https://`, `http://` or `file:///`");
            }
            self.credentials(url, &place);
        }
    }

    /// Says so if a URL has credentials in it that stand in the config itself.
    pub(super) fn credentials(&mut self, url: &str, place: &Place) {
        if has_credentials(url) && !self.tree.get(&place.0).is_some_and(|node| node.is_expanded()) {
            self.warning(place, "has credentials in it, for everyone who can read the file")
                .hint("take the URL from a variable: `${NAME}`");
        }
    }

    fn common(&mut self, common: &Common<'_>, place: &Place) {
        let Common { name, needs: _, run_as: _, creates, timeout, retries, environment, optional: _ } = common;
        if name.is_some_and(|name| !is_step_name(name)) {
            let message =
                "not a name for a step: up to 64 small letters, digits, `-` and `_`, and none of these two in front";
            self.error(&place.key("name"), message);
        }
        for (index, path) in creates.iter().enumerate() {
            self.absolute_or_home(path, &self.item(&place.key("creates"), index));
        }
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.error(&place.key("timeout"), "nothing is done in no time").hint("leave it out for 30m");
        }
        if retries.is_some_and(|retries| retries > RETRIES) {
            self.error(&place.key("retries"), format!("expected a number from 0 to {RETRIES}"));
        }
        self.environment(environment, &place.key("environment"));
    }

    pub(super) fn absolute_or_home(&mut self, path: &Path, place: &Place) {
        if !path.is_absolute() && !path.starts_with("~") {
            self.error(place, "expected an absolute path, or one that begins with `~/`");
        }
    }

    fn step_names(&mut self, steps: &[Step], places: &[Place]) {
        let mut taken: BTreeMap<&str, &Place> = BTreeMap::new();
        for (step, place) in steps.iter().zip(places) {
            let Some(first) = taken.insert(step.called(), place) else { continue };
            let message = format!("`{first}` is called `{}` as well", step.called());
            match step.common().name {
                Some(_) => self.error(&place.key("name"), message).hint("a name stands for one step"),
                None => self.misnamed(place, message).hint("give one of them a `name`"),
            }
        }
    }

    fn step_needs(&mut self, steps: &[Step], places: &[Place]) {
        if !self.whole {
            return;
        }
        let names: Vec<&str> = steps.iter().map(Step::called).collect();
        for (step, place) in steps.iter().zip(places) {
            for (index, wanted) in step.common().needs.iter().enumerate() {
                if !names.contains(&wanted.as_str()) {
                    self.error(&self.item(&place.key("needs"), index), "no such step").hint(hint(wanted, &names));
                }
            }
        }
        for circle in circles(&names, steps.iter().map(|step| step.common().needs)) {
            let first = names.iter().position(|name| circle.first() == Some(name));
            let Some(place) = first.and_then(|first| places.get(first)) else { continue };
            self.error(&place.key("needs"), format!("these wait for each other: {}", circle.join(" → ")));
        }
    }
}

/// What may have been meant by the name of a step.
fn hint(wanted: &str, names: &[&str]) -> String {
    let whole = wanted.split_once('.').map(|(step, _)| step).filter(|step| names.contains(step));
    match (whole, nearest(wanted, names)) {
        (Some(step), _) => format!("a step is needed with all its parts: write `{step}`"),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => format!("steps: {}", quoted_list(names)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bad, found, found_with_hints, good};

    fn steps(lines: &[&str]) -> String {
        let lines: String = lines.iter().map(|line| format!("    - {line}\n")).collect();
        format!("first_run:\n  steps:\n{lines}")
    }

    #[test]
    fn names_of_steps_can_name_a_file_and_have_no_dot() {
        good(&steps(&["uv: {name: a-1_b}", "bun: {name: 7zip}"]));
        for name in ["A", "a.b", "-a", "''", "a/b", "..", "ä"] {
            bad(
                &steps(&[&format!("uv: {{name: {name}}}")]),
                "3:18 `first_run.steps[0].uv.name`: not a name for a step",
            );
        }
    }

    #[test]
    fn a_name_stands_for_one_step_and_without_one_it_is_the_kind() {
        let two = steps(&["script: {run: a}", "uv: {}", "script: {run: b}"]);
        assert_eq!(
            found_with_hints(&two),
            ["5:7 `first_run.steps[2].script`: `first_run.steps[0].script` is called `script` as well \
              (give one of them a `name`)"]
        );
        bad(&steps(&["uv: {}", "bun: {name: uv}"]), "4:19 `first_run.steps[1].bun.name`: `first_run.steps[0].uv` is");
        good(&steps(&["script: {run: a}", "script: {run: b, name: other}"]));
    }

    #[test]
    fn needs_name_steps() {
        good(&steps(&["uv: {needs: [last]}", "bun: {name: last}"]));
        for (wanted, hint) in [
            ("claude", "steps: `clash-rs`, `uv`"),
            ("clahs-rs", "did you mean `clash-rs`?"),
            ("uv.tools", "a step is needed with all its parts: write `uv`"),
        ] {
            let config = steps(&["bun: {name: clash-rs}", &format!("uv: {{needs: [clash-rs, {wanted}]}}")]);
            let found = found_with_hints(&config);
            assert!(
                found.contains(&format!("4:30 `first_run.steps[1].uv.needs[1]`: no such step ({hint})")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn steps_that_wait_for_each_other_are_named() {
        bad(&steps(&["uv: {needs: [uv]}"]), "3:12 `first_run.steps[0].uv.needs`: these wait for each other: uv → uv");
        bad(
            &steps(&["uv: {needs: [b]}", "bun: {name: b, needs: [node]}", "node: {needs: [b]}"]),
            "4:22 `first_run.steps[1].bun.needs`: these wait for each other: b → node → b",
        );
    }

    #[test]
    fn a_step_is_pointed_at_where_it_was_written_though_the_one_before_did_not_fit() {
        let found = found(&steps(&["uv: {vresion: 1}", "uvx: {}", "bun: {version: nope}"]));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[2].starts_with("5:22 `first_run.steps[2].bun.version`"), "{found:?}");
    }

    #[test]
    fn limits_have_bounds() {
        good("first_run: {parallel: 64, steps: [{uv: {timeout: 1s, retries: 20}}]}");
        for parallel in [0, 65] {
            bad(
                &format!("first_run: {{parallel: {parallel}}}"),
                "1:23 `first_run.parallel`: expected a number from 1 to 64",
            );
        }
        bad(&steps(&["uv: {timeout: 0s}"]), "3:21 `first_run.steps[0].uv.timeout`: nothing is done in no time");
        bad(&steps(&["uv: {retries: 21}"]), "3:21 `first_run.steps[0].uv.retries`: expected a number from 0 to 20");
    }

    #[test]
    fn paths_users_and_variables() {
        good("first_run: {user: peid, bundle: /b, certificates: [/c]}");
        bad("first_run: {user: a b}", "1:19 `first_run.user`: expected the name or the number of a user");
        bad("first_run: {bundle: b}", "1:21 `first_run.bundle`: expected an absolute path");
        bad("first_run: {certificates: [/a, b]}", "1:32 `first_run.certificates[1]`: expected an absolute path");
        good(&steps(&["uv: {creates: [/a, ~/b, '~']}"]));
        for path in ["a", "~other/b", "./a", "''"] {
            let config = steps(&[&format!("uv: {{creates: [{path}]}}")]);
            bad(
                &config,
                "3:22 `first_run.steps[0].uv.creates[0]`: expected an absolute path, or one that begins with `~/`",
            );
        }
        bad(&steps(&["uv: {environment: {A-B: x}}"]), "3:26 `first_run.steps[0].uv.environment.A-B`: not a name");
    }

    #[test]
    fn mirrors_are_urls() {
        good(
            "first_run: {mirrors: {github: \"https://m/github.com\", npm: \"http://127.0.0.1:1/\", pypi: \"file:///m\"}}",
        );
        for url in ["m", "ftp://m", "file://m", "https://", "\"https://a b\""] {
            let config = format!("first_run:\n  mirrors:\n    conda: {url}\n");
            bad(&config, "3:12 `first_run.mirrors.conda`: expected a URL that begins with");
        }
    }

    #[test]
    fn proxies_are_urls_of_proxies_and_are_never_shown() {
        good("proxy: {http: \"http://p:3128\", https: p, all: \"socks5h://p:1080\", no_proxy: \"localhost,.corp\"}");
        good("proxy: none");
        for url in ["ftp://s3cret", "http://s3cret:port", "\"a s3cret\"", "\"http://\""] {
            bad(&format!("proxy:\n  all: {url}\n"), "2:8 `proxy.all`: expected a proxy such as `http://HOST:PORT`");
            let found = found_with_hints(&format!("proxy:\n  all: {url}\n"));
            assert!(!found.concat().contains("s3cret"), "{found:?}");
        }
        bad("proxy: {no_proxy: \"a\\nb\"}", "1:19 `proxy.no_proxy`: expected names of hosts");
    }

    #[test]
    fn credentials_in_the_file_are_worth_a_word_and_never_shown() {
        let warned = "for everyone who can read the file (take the URL from a variable: `${NAME}`)";
        for (config, place) in [
            ("proxy: {http: \"http://u:s3cret@p:1\"}".to_owned(), "?1:15 `proxy.http`"),
            ("first_run: {mirrors: {pypi: \"https://s3cret@m\"}}".to_owned(), "?1:29 `first_run.mirrors.pypi`"),
            (steps(&["download: {url: \"https://u:s3cret@h/x\", to: /x}"]), "?3:23 `first_run.steps[0].download.url`"),
            (steps(&["git: {url: \"https://s3cret@h/x\", to: /x}"]), "?3:18 `first_run.steps[0].git.url`"),
            (steps(&["pip: {packages: [\"git+https://u:s3cret@h/x\"]}"]), "?3:24 `first_run.steps[0].pip.packages[0]`"),
        ] {
            let expected = format!("{place}: has credentials in it, {warned}");
            assert_eq!(found_with_hints(&config), [expected], "{config}");
        }
        good(&steps(&["git: {url: \"ssh://git@h/x\", to: /x}"]));
    }
}
