use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fetch::Failure;
use crate::first_run::{Installed, Installer, Job};

/// Installs nothing, and says where it would.
struct Fake(Value);

impl Installer for Fake {
    fn key(&self) -> Value {
        self.0.clone()
    }

    fn summary(&self) -> String {
        self.0.to_string()
    }

    fn install(&self, _: &mut Job<'_>) -> Result<Installed, Failure> {
        Err(Failure::permanent("not in tests"))
    }
}

/// A main part for each step but npm's, which has only a part of its own; a part `global` where packages are asked for.
fn parts(step: &Step, place: &Place) -> Vec<Part> {
    let fake = |what: Value| Fake(json!({ "what": what, "base": place.base, "system": place.system }));
    let main = Part::main(fake(match step {
        Step::Download(download) => json!(download.to),
        Step::Git(git) => json!(git.to),
        _ => json!(step.kind()),
    }));
    let global = |after| Part {
        suffix: "global".to_owned(),
        after,
        path: vec![place.own("bun").join("bin")],
        ..Part::main(fake(json!("g")))
    };
    match step {
        Step::Bun(bun) if !bun.global.is_empty() => vec![main, global(&["node"])],
        Step::Npm(_) => vec![global(&["node", "bun"])],
        Step::Apt(_) => vec![Part { root: true, ..main }],
        Step::Ollama(_) => {
            vec![main, Part { suffix: "service".to_owned(), root: true, ..Part::main(fake(json!("s"))) }]
        }
        _ => vec![main],
    }
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::nowhere:\n\
    peid:x:3100:1100::/home/peid:/bin/zsh\nother:x:3200:3200::/home/other:\n";
const GROUP: &str = "root:x:0:\npeid:x:1100:\nvideo:x:44:peid\n";

fn ground(variables: &[(&str, &str)]) -> Ground {
    Ground {
        environment: environment(variables),
        database: Database { passwd: Some(PASSWD.into()), group: Some(GROUP.into()), ..Database::default() },
        ..Ground::default()
    }
}

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn config(value: Value) -> Config {
    serde_json::from_value(value).unwrap()
}

fn steps(steps: Value) -> Config {
    config(json!({ "users": { "peid": {} }, "first_run": { "steps": steps } }))
}

fn resolved(config: &Config, variables: &[(&str, &str)]) -> Resolved {
    resolve_with(config, &ground(variables), &parts).unwrap()
}

fn refused(config: &Config, ground: &Ground) -> String {
    resolve_with(config, ground, &parts).err().expect("an error")
}

fn task<'a>(resolved: &'a Resolved, name: &str) -> &'a Task {
    resolved.tasks.iter().find(|task| task.name == name).unwrap_or_else(|| panic!("no {name}"))
}

/// The names of those that a task needs.
fn needs(resolved: &Resolved, name: &str) -> Vec<String> {
    task(resolved, name).needs.iter().map(|task| resolved.tasks[*task].name.clone()).collect()
}

fn folders(folders: &[PathBuf]) -> Vec<String> {
    folders.iter().map(|folder| folder.display().to_string()).collect()
}

#[test]
fn a_step_is_a_task_for_each_of_its_parts_and_they_need_its_main_one() {
    let found = resolved(&steps(json!([{ "bun": { "global": ["x"] } }, { "uv": {} }])), &[]);
    let names: Vec<_> = found.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["bun", "bun.global", "uv"]);
    assert_eq!(needs(&found, "bun.global"), ["bun"]);
    assert!(needs(&found, "bun").is_empty() && needs(&found, "uv").is_empty());
}

#[test]
fn a_need_stands_for_all_parts_and_an_implied_one_for_the_main_part_of_every_step_of_that_kind() {
    let found = resolved(
        &steps(json!([
            { "script": { "run": "x", "needs": ["b"] } },
            { "npm": { "packages": ["x"] } },
            { "bun": { "name": "b", "global": ["x"] } },
            { "node": {} },
            { "node": { "name": "old", "version": "18" } },
        ])),
        &[],
    );
    assert_eq!(needs(&found, "script"), ["b", "b.global"]);
    assert_eq!(needs(&found, "b.global"), ["b", "node", "old"]);
    assert_eq!(needs(&found, "npm.global"), ["b", "node", "old"]);
    assert!(needs(&found, "b").is_empty());
}

#[test]
fn a_need_of_a_step_without_a_main_part_is_a_need_of_its_parts() {
    let found = resolved(
        &steps(json!([{ "script": { "run": "x", "needs": ["npm"] } }, { "npm": { "packages": ["x"] } }])),
        &[],
    );
    assert_eq!(needs(&found, "script"), ["npm.global"]);
}

#[test]
fn what_the_config_says_goes_over_what_goes_without_saying() {
    let found = resolved(&steps(json!([{ "node": { "needs": ["bun"] } }, { "bun": { "global": ["x"] } }])), &[]);
    assert_eq!(needs(&found, "node"), ["bun", "bun.global"]);
    assert_eq!(needs(&found, "bun.global"), ["bun"]);
    let by_another = steps(json!([
        { "npm": { "packages": ["x"] } },
        { "script": { "run": "x", "needs": ["npm"] } },
        { "node": { "needs": ["script"] } },
        { "bun": {} },
    ]));
    assert_eq!(needs(&resolved(&by_another, &[]), "npm.global"), ["bun"]);
}

#[test]
fn tasks_that_wait_for_each_other_are_named_in_a_config_that_was_not_checked() {
    let config = steps(json!([{ "node": { "needs": ["bun"] } }, { "bun": { "needs": ["node"] } }, { "uv": {} }]));
    let error = refused(&config, &ground(&[]));
    assert_eq!(error, "first-run steps wait for each other: node → bun → node; take one of these out of `needs`");
}

proptest! {
    #[test]
    fn no_task_waits_for_itself_whatever_the_config_says(
        wishes in proptest::collection::vec((0..5_usize, proptest::collection::vec(0..12_usize, 0..3)), 1..12),
    ) {
        // Only those before are needed, so that the config itself has no circle in it.
        let all: Vec<Value> = wishes.iter().enumerate().map(|(number, (kind, needs))| {
            let kind = ["node", "npm", "bun", "uv", "ollama"][*kind];
            let needs: Vec<String> = needs.iter().filter(|_| number > 0).map(|need| format!("s{}", need % number)).collect();
            let mut settings = json!({ "name": format!("s{number}"), "needs": needs });
            if kind == "bun" {
                settings["global"] = json!(["x"]);
            }
            json!({ kind: settings })
        }).collect();
        let found = resolve_with(&steps(json!(all)), &ground(&[]), &parts).map_err(TestCaseError::fail)?;
        let needs: Vec<Vec<usize>> = found.tasks.iter().map(|task| task.needs.clone()).collect();
        prop_assert!(crate::config::cycles(&needs).is_empty(), "{:?}", needs);
        prop_assert!(needs.iter().all(|needs| needs.is_sorted_by(|a, b| a < b)), "{:?}", needs);
    }
}

#[test]
fn names_that_stand_twice_or_name_nothing_are_refused_in_a_config_that_was_not_checked() {
    let twice = refused(&steps(json!([{ "uv": {} }, { "uv": {} }])), &ground(&[]));
    assert_eq!(twice, "two first-run steps are called uv; give one of them a name");
    let nothing = refused(&steps(json!([{ "uv": { "needs": ["vu"] } }])), &ground(&[]));
    assert_eq!(nothing, "uv needs vu, which is no first-run step");
}

#[test]
fn it_is_for_the_user_that_the_command_line_or_the_config_names_or_for_the_only_one_there_is() {
    let user =
        |value: Value, ground: &Ground| resolve_with(&config(value), ground, &parts).map(|resolved| resolved.user.name);
    let one = json!({ "users": { "root": {}, "peid": {} } });
    let two = json!({ "users": { "peid": {}, "other": {} } });
    let named = json!({ "users": { "peid": {} }, "first_run": { "user": "other" } });
    assert_eq!(user(json!({}), &ground(&[])).unwrap(), "root");
    assert_eq!(user(one, &ground(&[])).unwrap(), "peid");
    assert_eq!(user(two, &ground(&[])).unwrap(), "root");
    assert_eq!(user(named.clone(), &ground(&[])).unwrap(), "other");
    let by_command_line = Ground { user: Some("3100".into()), ..ground(&[]) };
    assert_eq!(user(named, &by_command_line).unwrap(), "peid");
    assert_eq!(user(json!({}), &ground(&[("USER_NAME", "other")])).unwrap(), "other");
}

#[test]
fn a_user_that_there_is_not_is_an_error_that_says_what_to_do() {
    let unknown = config(json!({ "first_run": { "user": "peit" } }));
    let error = refused(&unknown, &ground(&[]));
    assert!(error.starts_with("there is no user peit for the first run; add it to users"), "{error}");
    let later = config(json!({ "users": { "peit": {} } }));
    let error = refused(&later, &ground(&[]));
    assert!(error.starts_with("there is no user peit yet: it is made when the container boots"), "{error}");
    let homeless = refused(&config(json!({ "first_run": { "user": "nobody" } })), &ground(&[]));
    assert_eq!(homeless, "nobody has no home in /etc/passwd; set users.nobody.home");
}

#[test]
fn without_root_it_is_for_whoever_devinit_runs_as() {
    let as_uid = |uid| Ground { uid, gid: 7, ..ground(&[("HOME", "/somewhere")]) };
    let found = resolve_with(&config(json!({ "users": { "other": {} } })), &as_uid(3100), &parts).unwrap();
    assert_eq!((found.user.name.as_str(), found.user.uid), ("peid", 3100));
    let number = resolve_with(&Config::default(), &as_uid(12345), &parts).unwrap().user;
    assert_eq!((number.uid, number.gid, number.home), (12345, 7, PathBuf::from("/somewhere")));
    let error = refused(&config(json!({ "first_run": { "user": "other" } })), &as_uid(3100));
    assert_eq!(error, "devinit runs as uid 3100 and cannot become other; run it as root or as other");
    assert!(resolve_with(&config(json!({ "first_run": { "user": "peid" } })), &as_uid(3100), &parts).is_ok());
}

#[test]
fn what_is_for_everyone_runs_as_root_and_the_rest_as_the_user() {
    let found = resolved(
        &steps(json!([
            { "uv": {} }, { "node": { "as": "root" } }, { "codex": { "as": "user" } }, { "apt": { "packages": ["x"] } },
            { "ollama": {} },
        ])),
        &[],
    );
    let owner = |name| {
        let Owner { account, place } = &task(&found, name).owner;
        let key = task(&found, name).installer.key();
        assert_eq!(key["base"], json!(place.base), "{name}: installer and task agree on the place");
        (account.name.as_str(), place.base.display().to_string(), place.system)
    };
    for name in ["uv", "codex", "ollama"] {
        assert_eq!(owner(name), ("peid", "/home/peid".into(), false), "{name}");
    }
    for name in ["node", "apt", "ollama.service"] {
        assert_eq!(owner(name), ("root", "/usr/local".into(), true), "{name}");
    }
    assert_eq!(task(&found, "uv").owner.account.groups, [1100, 44]);
}

#[test]
fn root_as_the_user_has_things_at_home_unless_they_are_for_everyone() {
    let found =
        resolved(&config(json!({ "first_run": { "steps": [{ "uv": {} }, { "node": { "as": "root" } }] } })), &[]);
    assert_eq!(task(&found, "uv").owner.place, Place::home(Path::new("/root")));
    assert_eq!(task(&found, "node").owner.place, Place::system());
}

#[test]
fn a_tilde_is_the_home_of_whoever_runs_the_step() {
    let found = resolved(
        &steps(json!([
            { "download": { "url": "https://x/y", "to": "~/bin/y", "creates": ["~", "~/z", "/a", "/a/~"] } },
            { "git": { "url": "https://x/y", "to": "~/y", "as": "root", "creates": ["~/q"] } },
        ])),
        &[],
    );
    let what = |name| task(&found, name).installer.key()["what"].clone();
    assert_eq!(what("download"), "/home/peid/bin/y");
    assert_eq!(what("git"), "/root/y");
    assert_eq!(folders(&task(&found, "download").creates), ["/home/peid", "/home/peid/z", "/a", "/a/~"]);
    assert_eq!(folders(&task(&found, "git").creates), ["/root/q"]);
}

#[test]
fn what_a_step_creates_is_expected_of_its_last_part() {
    let found = resolved(&steps(json!([{ "bun": { "global": ["x"], "creates": ["/x"] } }])), &[]);
    assert!(task(&found, "bun").creates.is_empty());
    assert_eq!(folders(&task(&found, "bun.global").creates), ["/x"]);
}

#[test]
fn limits_have_defaults() {
    let found =
        resolved(&steps(json!([{ "uv": {} }, { "node": { "timeout": "90s", "retries": 0, "optional": true } }])), &[]);
    let limits = |name| {
        let task = task(&found, name);
        (task.timeout.as_secs(), task.retries, task.optional)
    };
    assert_eq!(limits("uv"), (1800, 4, false));
    assert_eq!(limits("node"), (90, 0, true));
}

#[test]
fn folders_of_programs_are_named_once_for_the_user_and_once_for_everyone() {
    let found = resolved(
        &steps(json!([
            { "bun": { "global": ["x"] } }, { "npm": { "packages": ["x"] } }, { "uv": { "as": "root" } },
            { "npm": { "name": "n", "packages": ["x"], "as": "root" } },
        ])),
        &[("PATH", "/usr/bin:/home/peid/.local/bin")],
    );
    assert_eq!(folders(&found.path), ["/home/peid/.local/bin", "/home/peid/.bun/bin"]);
    assert_eq!(folders(&found.system_path), ["/usr/local/bin", "/usr/local/share/bun/bin"]);
    let user = "/home/peid/.local/bin:/home/peid/.bun/bin:/usr/local/bin:/usr/local/share/bun/bin:/usr/bin";
    assert_eq!(task(&found, "bun").environment["PATH"], user);
    assert_eq!(task(&found, "uv").environment["PATH"], "/usr/local/bin:/usr/local/share/bun/bin:/usr/bin");
    let nothing = resolved(&steps(json!([])), &[]);
    assert!(nothing.path.is_empty() && nothing.system_path.is_empty());
}

#[test]
fn root_looks_for_programs_nowhere_where_the_user_can_write() {
    let open = tempfile::tempdir().unwrap();
    std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let (folder, link) = (open.path().join("bin"), open.path().join("link"));
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/usr/bin", &link).unwrap();
    let path = format!(
        ".:bin:/home/peid/tools:{}:{}:{}/missing:/usr/bin",
        folder.display(),
        link.display(),
        open.path().display()
    );
    let config = config(json!({
        "users": { "peid": {} },
        "path": ["/home/peid/more", "/bin"],
        "first_run": { "steps": [{ "uv": { "as": "root" } }, { "node": {} }] },
    }));
    let found = resolved(&config, &[("PATH", &path)]);
    assert_eq!(task(&found, "uv").environment["PATH"], "/usr/local/bin:/bin:/usr/bin");
    assert!(task(&found, "node").environment["PATH"].contains("/home/peid/more:/bin:"));
    assert!(found.notes[0].text.contains("/home/peid/tools"), "{:?}", found.notes);
    let alone = resolved(&steps(json!([{ "uv": {} }])), &[("PATH", &path)]);
    assert_eq!(alone.notes, [], "nothing runs as root");
}

#[test]
fn root_does_without_variables_that_lead_programs_to_what_the_user_can_change() {
    let config = config(json!({
        "users": { "peid": {} },
        "environment": { "PYTHONUSERBASE": "/home/peid/.local", "WORK": "/home/peid/work" },
        "first_run": { "steps": [
            { "uv": { "as": "root", "environment": { "GIT_SSH_COMMAND": "ssh -i /home/peid/key" } } },
            { "node": {} },
        ] },
    }));
    let image = [
        ("LD_LIBRARY_PATH", "/usr/lib:/home/peid/lib"),
        ("NODE_OPTIONS", "--require=/home/peid/hook.js"),
        ("npm_config_prefix", "/home/peid/.npm"),
        ("PYTHONPATH", "/usr/lib/python3"),
        ("UV_NO_PROGRESS", "1"),
    ];
    let found = resolved(&config, &image);
    let roots = &task(&found, "uv").environment;
    let taken = ["LD_LIBRARY_PATH", "NODE_OPTIONS", "PYTHONUSERBASE", "npm_config_prefix"];
    for name in taken {
        assert!(!roots.contains_key(name), "{name}");
        assert!(task(&found, "node").environment.contains_key(name), "{name}");
        assert!(found.notes[0].text.contains(name), "{:?}", found.notes);
    }
    for kept in ["PYTHONPATH", "UV_NO_PROGRESS", "WORK", "GIT_SSH_COMMAND"] {
        assert!(roots.contains_key(kept), "{kept}");
    }
}

#[test]
fn a_file_of_the_users_that_root_runs_is_told() {
    let found = resolved(
        &steps(json!([
            { "script": { "name": "a", "path": "/home/peid/setup.sh", "as": "root" } },
            { "script": { "name": "b", "path": "/usr/bin/true", "as": "root" } },
            { "script": { "name": "c", "path": "~/setup.sh" } },
            { "pip": { "name": "d", "requirements": ["~/r.txt", "/home/peid/r.txt"], "as": "root" } },
        ])),
        &[("PATH", "/usr/bin")],
    );
    let told: Vec<&str> = found.notes.iter().map(|note| note.text.split(',').next().unwrap()).collect();
    assert_eq!(told, ["a runs as root with /home/peid/setup.sh", "d runs as root with /home/peid/r.txt"]);
    let from = |bundle: &str, run_as: &str| {
        let config = config(json!({ "users": { "peid": {} }, "first_run": {
            "bundle": bundle, "steps": [{ "uv": { "as": run_as } }],
        } }));
        resolved(&config, &[("PATH", "/usr/bin")]).notes.iter().any(|note| note.text.contains("root installs from"))
    };
    assert!(from("/home/peid/bundle", "root"));
    assert!(!from("/home/peid/bundle", "user") && !from("/usr/share/bundle", "root"));
}

#[test]
fn a_task_has_the_containers_variables_the_configs_its_users_and_its_own_in_this_order() {
    let config = config(json!({
        "users": { "peid": { "password": { "env": "PW" }, "authorized_keys": [{ "env": "MY_KEYS" }] } },
        "environment": { "A": "config", "B": "config", "HOME": "/wrong" },
        "first_run": { "steps": [
            { "uv": { "environment": { "B": "step", "USER": "odd" } } },
            { "node": { "as": "root" } },
        ] },
    }));
    let found = resolved(
        &config,
        &[
            ("A", "container"),
            ("C", "container"),
            ("PW", "x"),
            ("MY_KEYS", "x"),
            ("PUBLIC_KEY", "x"),
            ("TMPDIR", "/scratch"),
        ],
    );
    let uv = &task(&found, "uv").environment;
    let values = ["A", "B", "C", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR"].map(|name| uv[name].as_str());
    assert_eq!(values, ["config", "step", "container", "/home/peid", "odd", "peid", "/bin/zsh", "/scratch"]);
    for name in ["PW", "MY_KEYS", "PUBLIC_KEY"] {
        assert!(!uv.contains_key(name), "{name}");
    }
    assert_eq!(task(&found, "uv").own_environment, environment(&[("B", "step"), ("USER", "odd")]));
    let node = &task(&found, "node").environment;
    assert_eq!(["HOME", "USER", "SHELL"].map(|name| node[name].as_str()), ["/root", "root", "/bin/bash"]);
}

fn with_proxy(proxy: Value) -> Config {
    config(json!({ "proxy": proxy, "first_run": { "steps": [{ "uv": {} }] } }))
}

/// The variables for proxies that a task gets.
fn proxy_variables(resolved: &Resolved) -> BTreeMap<String, String> {
    let all = &task(resolved, "uv").environment;
    all.iter()
        .filter(|(name, _)| crate::prepare::environment::is_proxy(name))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

#[test]
fn inherited_proxies_stand_in_capitals_and_in_small_letters() {
    let given = [
        ("HTTP_PROXY", "http://upper:1"),
        ("http_proxy", "http://lower:1"),
        ("https_proxy", "http://s:2"),
        ("HTTPS_PROXY", ""),
        ("NO_PROXY", "a,b"),
        ("npm_config_proxy", "http://n:3"),
    ];
    let found = resolved(&with_proxy(json!("inherit")), &given);
    let expected = [
        ("HTTP_PROXY", "http://upper:1"),
        ("http_proxy", "http://lower:1"),
        ("HTTPS_PROXY", "http://s:2"),
        ("https_proxy", "http://s:2"),
        ("NO_PROXY", "a,b"),
        ("no_proxy", "a,b"),
        ("npm_config_proxy", "http://n:3"),
    ];
    assert_eq!(proxy_variables(&found), environment(&expected));
    let proxies = &found.sources.client.settings.proxies;
    assert_eq!(proxies.http.as_deref(), Some("http://upper:1"), "capital letters go first");
    assert_eq!(proxies.https.as_deref(), Some("http://s:2"));
    assert_eq!((proxies.all.as_deref(), proxies.no_proxy.as_deref()), (None, Some("a,b")));
}

#[test]
fn proxies_of_the_config_replace_those_of_the_container_or_remove_them() {
    let given = [("HTTP_PROXY", "http://x:1"), ("All_Proxy", "y"), ("no_proxy", "z"), ("npm_config_https_proxy", "n")];
    let none = resolved(&with_proxy(json!("none")), &given);
    assert_eq!(proxy_variables(&none), environment(&[]));
    assert_eq!(none.sources.client.settings.proxies, Default::default());

    let set = resolved(&with_proxy(json!({ "https": "http://s:2", "no_proxy": "q" })), &given);
    let expected = [("HTTPS_PROXY", "http://s:2"), ("https_proxy", "http://s:2"), ("NO_PROXY", "q"), ("no_proxy", "q")];
    assert_eq!(proxy_variables(&set), environment(&expected));

    let all = resolved(&with_proxy(json!({ "https": "http://s:2", "all": "http://a:1" })), &[]);
    assert_eq!(proxy_variables(&all)["http_proxy"], "http://a:1", "for programs that don't know ALL_PROXY");
    assert_eq!(proxy_variables(&all)["https_proxy"], "http://s:2");
    let socks = resolved(&with_proxy(json!({ "all": "socks5h://a:1" })), &[]);
    assert_eq!(proxy_variables(&socks), environment(&[("ALL_PROXY", "socks5h://a:1"), ("all_proxy", "socks5h://a:1")]));
}

#[test]
fn sources_are_those_of_the_config_and_the_command_lines_bundle() {
    let config = config(json!({ "first_run": {
        "mirrors": { "github": "https://m" }, "bundle": "/bundle", "certificates": ["/ca.pem"],
    } }));
    let found = resolved(&config, &[]);
    assert_eq!(found.sources.mirrors.github.as_deref(), Some("https://m"));
    assert_eq!(found.sources.bundle, Some(PathBuf::from("/bundle")));
    assert_eq!(found.sources.client.settings.certificates, [PathBuf::from("/ca.pem")]);
    let ground = Ground { bundle: Some(PathBuf::from("/other")), ..ground(&[]) };
    assert_eq!(resolve_with(&config, &ground, &parts).unwrap().sources.bundle, Some(PathBuf::from("/other")));
}

#[test]
fn secrets_are_proxies_as_a_whole_and_in_parts_and_the_credentials_of_urls() {
    let config = config(json!({
        "proxy": { "http": "http://me:s3%40cret@proxy.example:3128/", "all": "bare-host:1080" },
        "first_run": {
            "mirrors": { "pypi": "https://reader:pypiword@mirror.example/simple", "npm": "https://npm.example" },
            "steps": [
                { "uv": { "environment": { "https_proxy": "http://own:ownword@localhost" } } },
                { "download": { "url": "https://tokentoken@dl.example/x", "to": "/x" } },
                { "git": { "url": "https://g:gitword@git.example/x", "to": "/x" } },
            ],
        },
    }));
    let secrets = resolved(&config, &[]).secrets;
    let known: BTreeSet<&str> = secrets.iter().map(String::as_str).collect();
    for secret in [
        "http://me:s3%40cret@proxy.example:3128/",
        "me:s3%40cret",
        "me:s3@cret",
        "s3%40cret",
        "s3@cret",
        "proxy.example:3128",
        "bare-host:1080",
        "reader:pypiword",
        "pypiword",
        "http://own:ownword@localhost",
        "ownword",
        "tokentoken",
        "g:gitword",
        "gitword",
    ] {
        assert!(known.contains(secret), "{secret}: {known:?}");
    }
    for harmless in ["", "mirror.example", "https://npm.example", "localhost", "me", "own"] {
        assert!(!known.contains(harmless), "{harmless}");
    }
    assert!(secrets.is_sorted_by(|a, b| a.len() >= b.len()), "{secrets:?}");
    assert_eq!(known.len(), secrets.len(), "each once");
}

#[test]
fn what_variables_and_packages_bring_along_is_kept_secret_in_each_of_its_forms() {
    let config = config(json!({
        "environment": { "HF_TOKEN": "hf_abcdefgh", "MY_KEY_FILE": "/etc/key", "USE_KEYRING": "false" },
        "first_run": { "steps": [
            { "pip": { "packages": ["x @ git+https://bot:p%40ss%2Fw@git.example/x"] } },
            { "script": { "run": "curl -u x https://scripttoken@s.example", "environment": { "DB_PASSWORD": "swordfish" } } },
        ] },
    }));
    let secrets = resolved(&config, &[("PIP_EXTRA_INDEX_URL", "https://i:indexword@pypi.example/simple")]).secrets;
    for secret in [
        "hf_abcdefgh",
        "swordfish",
        "i:indexword",
        "indexword",
        "scripttoken",
        "p%40ss%2Fw",
        "p%40ss%2fw",
        "p@ss/w",
        "Ym90OnBAc3Mvdw==",
        "c2NyaXB0dG9rZW46",
    ] {
        assert!(secrets.iter().any(|found| found == secret), "{secret}: {secrets:?}");
    }
    for harmless in ["/etc/key", "false", "git.example", "pypi.example"] {
        assert!(!secrets.iter().any(|found| found == harmless), "{harmless}");
    }
}

#[test]
fn a_password_that_a_tool_would_keep_on_the_disk_is_told() {
    let noted = |conda: &str, steps: Value| {
        let config = config(json!({ "first_run": { "mirrors": { "conda": conda }, "steps": steps } }));
        resolved(&config, &[]).notes.iter().any(|note| note.text.contains("has a password in it"))
    };
    assert!(noted("https://me:word@c.example", json!([{ "pixi": { "global": ["jq"] } }])));
    assert!(!noted("https://me:word@c.example", json!([{ "uv": {} }])));
    assert!(!noted("https://c.example", json!([{ "pixi": { "global": ["jq"] } }])));
    let channel =
        json!([{ "micromamba": { "environments": { "a": ["jq"] }, "channels": ["https://t0k@c.example/x"] } }]);
    assert!(noted("https://c.example", channel));
}

#[test]
fn a_password_that_is_no_good_url_is_kept_secret_all_the_same() {
    for (url, secret) in [
        ("http://u:pa/ss#wo?rd@host:1", "pa/ss#wo?rd"),
        ("u:p@ss@host", "p@ss"),
        ("http://u:100%@host", "100%"),
        ("http://u:%zz%4@host", "%zz%4"),
        ("http://u:%ff%41%41@host", "\u{fffd}AA"),
    ] {
        let config = with_proxy(json!({ "http": url }));
        let secrets = resolved(&config, &[]).secrets;
        assert!(secrets.iter().any(|found| found == secret), "{url}: {secrets:?}");
    }
}
