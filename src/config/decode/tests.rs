use std::time::Duration;

use super::super::first_run::{Proxy, Step, Uv};
use super::super::model::{Command, Config, KeyPlace, KeySource, Password, PermitRootLogin, Version};
use super::super::yaml;
use super::*;

fn read(text: &str) -> (Option<Config>, Vec<String>) {
    let (tree, mut findings) = yaml::parse(text.as_bytes(), 0);
    let config = decode(&mut tree.unwrap(), &mut findings);
    findings.sort_by_key(|finding| finding.mark);
    let shown = findings.into_iter().map(|finding| {
        let hint = finding.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}:{} {}{hint}", finding.mark.line, finding.mark.column, finding.message)
    });
    (config, shown.collect())
}

fn config(text: &str) -> Config {
    let (config, errors) = read(text);
    assert!(errors.is_empty(), "{errors:?}");
    config.unwrap()
}

fn error(text: &str) -> String {
    let (_, errors) = read(text);
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    error.clone()
}

#[test]
fn an_empty_config_is_the_default() {
    assert_eq!(config("{}"), Config::default());
    assert_eq!(config("{users: ~, ssh: ~, app: ~, path: ~, greeting: {enabled: ~}}"), Config::default());
}

#[test]
fn text_stays_as_it_was_written() {
    let environment = config("environment: {A: 1.10, B: yes, C: 0x1F, D: 007, E: '', F: 1e3, G: null-ish}").environment;
    let values: Vec<&str> = environment.values().map(String::as_str).collect();
    assert_eq!(values, ["1.10", "yes", "0x1F", "007", "", "1e3", "null-ish"]);
    let app = config("app: {command: [sleep, 1.0, true]}").app.unwrap();
    assert_eq!(app.command, Some(Command::Argv(vec!["sleep".into(), "1.0".into(), "true".into()])));
}

#[test]
fn numbers_may_be_negative_where_that_means_something() {
    for (text, number) in [("-20", -20), ("0", 0), ("19", 19)] {
        assert_eq!(config(&format!("app: {{nice: {text}}}")).app.unwrap().nice, Some(number));
    }
}

#[test]
fn plain_numbers_are_taken_where_text_may_be_one() {
    let app = config(
        "app: {umask: 022, groups: [44], limits: {nofile: 1024}, log: {to: file, size: 4096}, ready: {status: 200}}",
    )
    .app
    .unwrap();
    assert_eq!(app.umask.as_deref(), Some("022"));
    assert_eq!(app.groups.as_deref(), Some(&["44".to_owned()][..]));
    assert_eq!(app.limits["nofile"], "1024");
    assert_eq!(app.ready.unwrap().status.as_deref(), Some("200"));
}

#[test]
fn every_kind_of_setting_is_read() {
    let config = config(
        "version: 1\n\
         users: {a: {uid: 0, sudo: Yes, password: {env: P}, authorized_keys: [k, {github: g}, {url: u}]}, b: }\n\
         ssh: {permit_root_login: no, x11_forwarding: off}\n\
         app: {command: exec x, port: 8080, ready: {timeout: 1m}}\n\
         shutdown: {timeout: 250ms}\n",
    );
    assert_eq!(config.version, Version::V1);
    let user = &config.users["a"];
    assert_eq!((user.uid, user.sudo), (Some(0), true));
    assert_eq!(user.password, Some(Password::Env("P".into())));
    let [key, github, url] = user.authorized_keys.as_deref().unwrap() else { panic!() };
    assert_eq!(key, &KeySource::Key("k".into()));
    assert_eq!(github, &KeySource::From(KeyPlace::Github("g".into())));
    assert_eq!(url, &KeySource::From(KeyPlace::Url("u".into())));
    assert!(config.users.contains_key("b"), "a user with nothing said about it");
    assert_eq!(config.ssh.permit_root_login, PermitRootLogin::No);
    assert!(!config.ssh.x11_forwarding);
    let app = config.app.unwrap();
    assert_eq!((app.command, app.port.0), (Some(Command::Shell("exec x".into())), 8080));
    assert_eq!(app.ready.unwrap().timeout, Some(Duration::from_secs(60)));
    assert_eq!(config.shutdown.timeout, Duration::from_millis(250));
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    assert_eq!(
        error("users:\n  peid:\n    authorized_key: []\n"),
        "3:5 unknown key `authorized_key` in users.peid (did you mean `authorized_keys`?)"
    );
    assert_eq!(error("user: {}"), "1:1 unknown key `user` (did you mean `users`?)");
    assert_eq!(
        error("greeting: {colour: red}"),
        "1:12 unknown key `colour` in greeting (known here: `enabled`, `text`)"
    );
}

#[test]
fn type_errors_say_what_was_expected_and_found() {
    for (text, expected) in [
        ("ssh: {port: ssh}", "1:13 `ssh.port`: expected a whole number from 0 to 65535, found text"),
        ("ssh: {port: 65536}", "1:13 `ssh.port`: expected a whole number from 0 to 65535, found a number"),
        ("ssh: {port: -1}", "1:13 `ssh.port`: expected a whole number from 0 to 65535, found a number"),
        ("ssh: {port: 022}", "1:13 `ssh.port`: expected a whole number from 0 to 65535, found a number"),
        (
            "ssh: {port: '22'}",
            "1:13 `ssh.port`: expected a whole number from 0 to 65535, found text in quotes (remove the quotes)",
        ),
        ("ssh: {port: [22]}", "1:13 `ssh.port`: expected a whole number from 0 to 65535, found a list"),
        ("ssh: 22", "1:6 `ssh`: expected a mapping, found a number"),
        ("ssh: {enabled: maybe}", "1:16 `ssh.enabled`: expected true or false, found text"),
        ("users: [root]", "1:8 `users`: expected a mapping, found a list"),
        (
            "users: {a: {groups: video}}",
            "1:21 `users.a.groups`: expected a list, found text (write a list of one in brackets: `[…]`)",
        ),
        ("users: {a: {home: {}}}", "1:19 `users.a.home`: expected text, found a mapping"),
        ("environment: {A: [1]}", "1:18 `environment.A`: expected text, found a list"),
        ("environment: {A: }", "1:16 `environment.A`: expected text, found nothing (write `\"\"` for empty text)"),
        ("version: 2", "1:10 `version`: expected 1, which is the only version of this format"),
        (
            "app: {command: {a: b}}",
            "1:7 `app.command`: expected a list such as `[sleep, 1d]`, or text for /bin/sh, found a mapping",
        ),
        ("app: {command: [a, [b]]}", "1:20 `app.command[1]`: expected text, found a list"),
        (
            "app: {stop: {timeout: 5}}",
            "1:23 `app.stop.timeout`: expected a duration with its unit, such as `90s`, `10m` or `1h30m`",
        ),
        (
            "app: {restart: on_failure}",
            "1:16 `app.restart`: expected one of `never`, `on-failure`, `always` (did you mean `on-failure`?)",
        ),
        ("app: {restart: true}", "1:16 `app.restart`: expected one of `never`, `on-failure`, `always`"),
        ("app: {restart: {never: 1}}", "1:24 `app.restart.never`: expected a word and not a mapping"),
        ("app: {nice: low}", "1:13 `app.nice`: expected a whole number, found text"),
        ("app: {nice: 010}", "1:13 `app.nice`: expected a whole number, found a number"),
        ("app: {nice: 99999999999}", "1:13 `app.nice`: expected a whole number, found a number"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn a_choice_is_exactly_one() {
    let one_of = "`users.a.password`: expected one of `file`, `env`, `hash`, `text`";
    assert_eq!(error("users: {a: {password: {}}}"), format!("1:23 {one_of}, found a mapping"));
    assert_eq!(error("users: {a: {password: {pile: x}}}"), format!("1:24 {one_of} (did you mean `file`?)"));
    assert_eq!(
        error("users: {a: {password: {env: X, file: /y}}}"),
        "1:32 `users.a.password.file`: only one of these can be given"
    );
    assert_eq!(
        error("users: {a: {authorized_keys: [{env: X, file: /y}]}}"),
        "1:40 `users.a.authorized_keys[0].file`: only one of these can be given"
    );
    assert_eq!(
        error("users: {a: {authorized_keys: [{githob: X}]}}"),
        "1:32 `users.a.authorized_keys[0]`: expected one of `env`, `file`, `directory`, `url`, `github` \
         (did you mean `github`?)"
    );
    assert!(
        error("users: {a: {authorized_keys: [[]]}}")
            .contains("`users.a.authorized_keys[0]`: expected a public key, or")
    );
    assert!(
        error("users: {a: {authorized_keys: [{env: [1]}]}}")
            .starts_with("1:37 `users.a.authorized_keys[0].env`: expected text")
    );
}

#[test]
fn everything_that_is_wrong_is_reported_once_in_order_and_the_rest_is_read() {
    let (config, errors) = read(
        "verison: 1\n\
         users:\n  \
           a: {uid: x, gid: y, home: /h}\n\
         services:\n  \
           s: {comand: [x], restart: no}\n\
         app:\n  \
           command: [a, {}, [], b]\n",
    );
    let places: Vec<&str> = errors.iter().map(|error| error.split(' ').next().unwrap()).collect();
    assert_eq!(places, ["1:1", "3:12", "3:20", "5:7", "5:29", "7:16", "7:20"], "{errors:#?}");
    let config = config.unwrap();
    assert_eq!(config.users["a"].home.as_deref(), Some(std::path::Path::new("/h")));
    assert_eq!(config.services["s"].command, None);
}

#[test]
fn the_number_of_errors_has_a_bound() {
    let text: String = (0..500).map(|number| format!("x{number}: 1\n")).collect();
    let (config, errors) = read(&text);
    assert!(config.is_none());
    assert_eq!(errors.len(), MAX_ERRORS + 1);
}

#[test]
fn no_value_is_shown() {
    for text in [
        "users: {a: {password: s3cret}}",
        "users: {a: {password: {s3cret}}}",
        "users: {a: {password: {text: [s3cret]}}}",
        "users: {a: {password: [s3cret]}}",
        "users: {a: {uid: s3cret}}",
        "users: {a: {authorized_keys: s3cret}}",
        "users: {a: {authorized_keys: [{s3cret}]}}",
        "users: {a: {authorized_keys: [{s3cret: x}]}}",
        "environment: s3cret",
        "environment: {A: {B: s3cret}}",
        "app: {stop: {timeout: s3cret}}",
        "app: {restart: s3cret}",
        "ssh: s3cret",
        "proxy: s3cret",
        "proxy: {http: [s3cret]}",
        "proxy: {s3cret: x}",
        "first_run: {mirrors: {github: [s3cret]}}",
        "first_run: {steps: [s3cret]}",
        "first_run: {steps: [{uv: s3cret}]}",
        "first_run: {steps: [{s3cret: {}}]}",
        "first_run: {steps: [{uv: {timeout: s3cret}}]}",
        "version: s3cret",
    ] {
        let (_, errors) = read(text);
        assert!(!errors.is_empty(), "{text}");
        assert!(!errors.join(" ").contains("s3cret"), "{errors:?}");
    }
}

#[test]
fn a_step_is_a_mapping_of_one_kind_and_slips_are_explained() {
    let step = |text: &str| error(&format!("first_run:\n  steps:\n    - {text}\n"));
    let place = "3:7 `first_run.steps[0]`";
    assert_eq!(
        step("uv"),
        format!("{place}: expected a mapping with `uv` in it, found that word alone (write `uv: {{}}`)")
    );
    assert_eq!(
        step("claude_code"),
        format!("{place}: expected a step such as `uv: {{}}`, found text (did you mean `claude-code: …`?)")
    );
    assert_eq!(step("make me happy"), format!("{place}: expected a step such as `uv: {{}}`, found text"));
    assert!(step("cargo: {}").starts_with(&format!("{place}: expected one of `pixi`, `uv`, `node`")));
    assert!(step("clude-code: {}").ends_with("(did you mean `claude-code`?)"));
    assert!(step("").starts_with("3:7 `first_run.steps[0]`: expected one of `pixi`, "), "{}", step(""));
    assert_eq!(
        step("uv: {}\n      bun: {}"),
        "3:7 `first_run.steps[0].uv`: only one of these can be given",
        "the second one in the order of names"
    );
    for text in ["uv:\n      name: x", "uv: {}\n      name: x"] {
        assert_eq!(
            step(text),
            "4:7 `first_run.steps[0].name`: stands beside `uv` and not in it (indent it further than `uv:`)"
        );
    }
    assert!(
        step("uv: {vresion: 1}").ends_with("unknown key `vresion` in first_run.steps[0].uv (did you mean `version`?)")
    );
    assert!(step("uv: {as: peid}").contains("`first_run.steps[0].uv.as`: expected one of `user`, `root`"));
}

#[test]
fn a_step_needs_no_settings_and_text_in_it_stays_as_it_was_written() {
    let config = config("first_run: {steps: [uv:, {download: {mode: 0755, to: x}}, {node: {version: 24}}]}");
    let steps = &config.first_run.steps;
    assert_eq!(steps[0], Step::Uv(Uv::default()));
    let Step::Download(download) = &steps[1] else { panic!() };
    assert_eq!(download.mode.as_deref(), Some("0755"));
    let Step::Node(node) = &steps[2] else { panic!() };
    assert_eq!(node.version.as_deref(), Some("24"));
}

#[test]
fn a_proxy_is_a_word_or_a_mapping() {
    assert_eq!(config("{}").proxy, Proxy::Inherit);
    assert_eq!(config("proxy: none").proxy, Proxy::None);
    let Proxy::Set(proxies) = config("proxy: {http: x, no_proxy: y}").proxy else { panic!() };
    assert_eq!((proxies.http.as_deref(), proxies.no_proxy.as_deref()), (Some("x"), Some("y")));
    let forms = "expected `inherit`, `none`, or `{http: URL, https: URL, all: URL, no_proxy: HOSTS}`";
    assert_eq!(error("proxy: http://u:s3cret@p"), format!("1:8 `proxy`: {forms}"));
    assert_eq!(error("proxy: [s3cret]"), format!("1:8 `proxy`: {forms}, found a list"));
    assert_eq!(
        error("proxy: {htp: x}"),
        "1:9 `proxy`: expected one of `http`, `https`, `all`, `no_proxy` (did you mean `http`?)"
    );
}
