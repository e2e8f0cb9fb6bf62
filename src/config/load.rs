//! Finds the config's files, reads them, lays them over each other, and makes a checked [`Config`] of them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::geteuid;

use super::check::check;
use super::decode::decode;
use super::expand::expand;
use super::merge::merge;
use super::model::{Config, OnError};
use super::node::{Map, Mark, Node, Value};
use super::problem::{Finding, Problem, Severity};
use super::yaml;
use crate::paths;
use crate::sorted;
use crate::trust::is_ours_alone;

/// Where a config comes from. Later ones are laid over earlier ones.
#[derive(Clone)]
pub struct Sources {
    /// The main file.
    pub main: PathBuf,
    /// Whether it is an error if the main file is missing.
    pub main_required: bool,
    /// A folder whose `*.yaml` and `*.yml` are laid over the main file, in the order of their names. It may be missing.
    pub drop_ins: Option<PathBuf>,
    /// YAML that is laid over everything else: what it is called in messages, and its text.
    pub extra: Vec<(String, String)>,
}

impl Sources {
    /// The usual files; `explicit`, or else `DEVINIT_CONFIG` in `env`, names another main file, which then has to be
    /// there.
    #[must_use]
    pub fn from_environment(explicit: Option<&Path>, env: &BTreeMap<String, String>) -> Self {
        let variable = env.get("DEVINIT_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let named = explicit.map(Path::to_path_buf).or(variable);
        Self {
            main_required: named.is_some(),
            main: named.unwrap_or_else(|| PathBuf::from(paths::CONFIG)),
            drop_ins: Some(PathBuf::from(paths::DROP_INS)),
            extra: Vec::new(),
        }
    }
}

impl Sources {
    /// This file, and nothing merged over it.
    #[must_use]
    pub fn only(file: &Path) -> Self {
        Self { main: file.to_path_buf(), main_required: true, drop_ins: None, extra: Vec::new() }
    }
}

/// A config that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the user wrote.
    pub config: Config,
    /// What looks wrong.
    pub warnings: Vec<Problem>,
    /// The files that were read, in the order of merging.
    pub files: Vec<PathBuf>,
}

/// A config that cannot be used.
#[derive(Clone, Debug)]
pub struct Broken {
    /// All that is wrong with it, warnings included, in the order of the files.
    pub problems: Vec<Problem>,
    /// What the user wants to happen now, as far as that can be told: `DEVINIT_ON_ERROR` in the environment, or else
    /// `on_error` in the config, or else rescue.
    pub on_error: OnError,
    /// What is left of the config without all that is wrong: good enough to let somebody in who mends it.
    pub salvaged: Box<Loaded>,
}

/// Reads, merges, expands and checks a config. `env` is what `${VAR}` stands for.
///
/// # Errors
/// Everything that is wrong with it, and not only the first thing. No message holds a secret.
pub fn load(sources: &Sources, env: &BTreeMap<String, String>) -> Result<Loaded, Broken> {
    let mut findings = Vec::new();
    let on_error = on_error_from(env, &mut findings);
    let (labels, files, mut tree) = read(sources, &mut findings);
    expand(&mut tree, env, &mut findings);
    let written_on_error = lenient_on_error(&tree);
    let config: Option<Config> = decode(&mut tree, &mut findings);
    if let Some(config) = &config {
        let whole = findings.iter().all(|finding| finding.severity < Severity::Error);
        check(config, &tree, whole, &mut findings);
    }

    sorted::sort_by_key(&mut findings, |finding| finding.mark);
    let problems: Vec<Problem> = findings.into_iter().map(|finding| finding.into_problem(&labels)).collect();
    let broken = problems.iter().any(|problem| problem.severity == Severity::Error);
    match config {
        Some(config) if !broken => {
            let on_error = on_error.unwrap_or(config.on_error);
            Ok(Loaded { config: Config { on_error, ..config }, warnings: problems, files })
        }
        salvaged => Err(Broken {
            problems,
            on_error: on_error.or(written_on_error).unwrap_or_default(),
            salvaged: Box::new(Loaded { config: salvaged.unwrap_or_default(), warnings: Vec::new(), files }),
        }),
    }
}

/// Reads and merges. Returns the names that [`Mark::file`] counts, the files that were read, and the tree.
fn read(sources: &Sources, findings: &mut Vec<Finding>) -> (Vec<PathBuf>, Vec<PathBuf>, Node) {
    let mut labels = Vec::new();
    let mut files = Vec::new();
    let mut merged = Map::new();
    let mut lay = |bytes: &[u8], file: usize, findings: &mut Vec<Finding>| {
        let (tree, found) = yaml::parse(bytes, file);
        findings.extend(found);
        match tree {
            Some(Node { value: Value::Map(map), .. }) if file == 0 => merged = map,
            Some(Node { value: Value::Map(map), .. }) => merge(&mut merged, map, findings),
            _ => {}
        }
    };

    let drop_ins = sources.drop_ins.as_deref().map(list).unwrap_or_default();
    for path in std::iter::once(Ok(sources.main.clone())).chain(drop_ins) {
        let file = labels.len();
        let (path, content) = match path {
            Ok(path) => (path.clone(), read_file(&path)),
            Err((path, error)) => (path, Err(error)),
        };
        match content {
            Ok(bytes) => {
                lay(&bytes, file, findings);
                if geteuid().is_root() && !is_ours_alone(&path) {
                    let finding =
                        Finding::warning(Mark::file(file), "not only root can change it, and root does what it says");
                    findings
                        .push(finding.hint("have it and all folders above it belong to root, and `chmod go-w` them"));
                }
                files.push(path.clone());
            }
            Err(error) if file == 0 && !sources.main_required && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => findings.push(unreadable(file, &error)),
        }
        labels.push(path);
    }
    for (label, text) in &sources.extra {
        lay(text.as_bytes(), labels.len(), findings);
        labels.push(PathBuf::from(label));
    }
    (labels, files, Node { mark: Mark::file(0), value: Value::Map(merged) })
}

/// The drop-ins of a folder in the order of their names. Hidden files are left alone: editors and Kubernetes keep
/// things there.
fn list(folder: &Path) -> Vec<Result<PathBuf, (PathBuf, io::Error)>> {
    let entries = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>());
    match entries {
        Ok(mut paths) => {
            paths.retain(|path| is_drop_in(path));
            sorted::sort(&mut paths);
            paths.into_iter().map(Ok).collect()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => vec![Err((folder.to_path_buf(), error))],
    }
}

fn is_drop_in(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Reads a regular file up to a little more than what is allowed, so that the parser can tell. Never waits: a FIFO
/// or a terminal in the place of a config must not hang the boot.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file: File = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(yaml::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn on_error_from(env: &BTreeMap<String, String>, findings: &mut Vec<Finding>) -> Option<OnError> {
    let word = env.get("DEVINIT_ON_ERROR").filter(|word| !word.is_empty())?;
    let on_error = on_error_named(word);
    if on_error.is_none() {
        let message = "the variable DEVINIT_ON_ERROR is neither `rescue` nor `exit`, and has no effect";
        findings.push(Finding::warning(Mark::NOWHERE, message));
    }
    on_error
}

/// Whatever else is wrong with the config.
fn lenient_on_error(tree: &Node) -> Option<OnError> {
    let Value::Map(map) = &tree.value else { return None };
    match &map.get("on_error")?.node.value {
        Value::Scalar(scalar) => on_error_named(&scalar.text),
        _ => None,
    }
}

fn on_error_named(word: &str) -> Option<OnError> {
    match word {
        "rescue" => Some(OnError::Rescue),
        "exit" => Some(OnError::Exit),
        _ => None,
    }
}

/// A file that is there, or has to be, and cannot be read.
fn unreadable(file: usize, error: &io::Error) -> Finding {
    let finding = Finding::error(Mark::file(file), format!("cannot be read: {error}"));
    match error.kind() {
        io::ErrorKind::PermissionDenied => finding.hint("do this as root, or let this user read the file"),
        _ => finding,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// A main file and drop-ins in a folder that goes away by itself.
    struct Files(TempDir);

    impl Files {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = TempDir::new().unwrap();
            fs::create_dir(folder.path().join("conf.d")).unwrap();
            for (name, text) in files {
                fs::write(folder.path().join(name), text).unwrap();
            }
            Self(folder)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn sources(&self) -> Sources {
            Sources {
                main: self.path("main.yaml"),
                main_required: false,
                drop_ins: Some(self.path("conf.d")),
                extra: Vec::new(),
            }
        }

        fn load(&self, variables: &[(&str, &str)]) -> Result<Loaded, Broken> {
            load(&self.sources(), &env(variables))
        }

        /// The problems, one a line, without the folder.
        fn problems(&self, variables: &[(&str, &str)]) -> String {
            let problems = match self.load(variables) {
                Ok(loaded) => loaded.warnings,
                Err(broken) => broken.problems,
            };
            let shown: Vec<_> = problems.iter().map(Problem::to_string).collect();
            shown.join("\n").replace(&format!("{}/", self.0.path().display()), "")
        }
    }

    fn one(text: &str, variables: &[(&str, &str)]) -> Config {
        Files::new(&[("main.yaml", text)]).load(variables).unwrap().config
    }

    #[test]
    fn without_any_file_there_are_defaults_and_no_warnings() {
        let loaded = Files::new(&[]).load(&[]).unwrap();
        assert_eq!(loaded.config, Config::default());
        assert!(loaded.warnings.is_empty() && loaded.files.is_empty());

        let files = Files::new(&[]);
        let sources = Sources { drop_ins: Some(files.path("nowhere")), ..files.sources() };
        assert!(load(&sources, &env(&[])).is_ok());
    }

    #[test]
    fn a_file_that_was_named_has_to_be_there() {
        let files = Files::new(&[]);
        let broken = load(&Sources { main_required: true, ..files.sources() }, &env(&[])).unwrap_err();
        let [problem] = broken.problems.as_slice() else { panic!("{broken:?}") };
        assert_eq!(problem.file, Some(files.path("main.yaml")));
        assert!(problem.to_string().contains("main.yaml: error: cannot be read: No such file"), "{problem}");
    }

    #[test]
    fn a_config_that_others_can_change_is_warned_about() {
        use std::fs::Permissions;
        use std::os::unix::fs::{PermissionsExt, chown};

        let files = Files::new(&[("main.yaml", "{}"), ("conf.d/a.yaml", "{}")]);
        if !geteuid().is_root() {
            return;
        }
        assert_eq!(files.problems(&[]), "");
        fs::set_permissions(files.path("main.yaml"), Permissions::from_mode(0o666)).unwrap();
        assert!(files.problems(&[]).starts_with("main.yaml: warning: not only root can change it"));
        fs::set_permissions(files.path("main.yaml"), Permissions::from_mode(0o644)).unwrap();
        chown(files.path("conf.d"), Some(3100), None).unwrap();
        assert!(files.problems(&[]).starts_with("conf.d/a.yaml: warning: not only root can change it"));
    }

    #[test]
    fn who_may_not_read_a_file_is_told_who_may() {
        let hint = |kind: io::ErrorKind| unreadable(0, &kind.into()).hint;
        assert!(hint(io::ErrorKind::PermissionDenied).unwrap().contains("as root"));
        assert_eq!(hint(io::ErrorKind::NotFound), None);
    }

    #[test]
    fn an_explicit_file_goes_over_the_variable_which_goes_over_the_usual_one() {
        let variable = env(&[("DEVINIT_CONFIG", "/a.yaml")]);
        let sources = Sources::from_environment(Some(Path::new("/b.yaml")), &variable);
        assert_eq!((sources.main, sources.main_required), (PathBuf::from("/b.yaml"), true));
        let sources = Sources::from_environment(None, &variable);
        assert_eq!((sources.main, sources.main_required), (PathBuf::from("/a.yaml"), true));
        let sources = Sources::from_environment(None, &env(&[("DEVINIT_CONFIG", "")]));
        assert_eq!((sources.main, sources.main_required), (PathBuf::from(paths::CONFIG), false));
    }

    #[test]
    fn drop_ins_go_over_the_main_file_in_the_order_of_their_names_and_extras_over_all() {
        let files = Files::new(&[
            ("main.yaml", "{ssh: {port: 1}, app: {port: 1}, greeting: {text: main}, path: [/a]}"),
            ("conf.d/20-b.yml", "{ssh: {port: 3}}"),
            ("conf.d/10-a.yaml", "{ssh: {port: 2}, app: {port: 2}}"),
            ("conf.d/.hidden.yaml", "nonsense"),
            ("conf.d/30-c.yaml.bak", "nonsense"),
            ("conf.d/README", "nonsense"),
        ]);
        let mut sources = files.sources();
        sources.extra.push(("(try)".to_owned(), "{greeting: {text: extra}}".to_owned()));
        let loaded = load(&sources, &env(&[])).unwrap();
        assert_eq!(loaded.config.ssh.port, 3);
        assert_eq!(loaded.config.app.unwrap().port.0, 2);
        assert_eq!(loaded.config.greeting.text.as_deref(), Some("extra"));
        assert_eq!(loaded.config.path, ["/a"]);
        assert_eq!(loaded.files, ["main.yaml", "conf.d/10-a.yaml", "conf.d/20-b.yml"].map(|name| files.path(name)));
    }

    #[test]
    fn the_errors_of_all_files_are_reported_each_with_its_own() {
        let files = Files::new(&[
            ("main.yaml", "ssh:\n  prot: 1\n  port: x\n"),
            ("conf.d/a.yaml", "users: [\n"),
            ("conf.d/b.yaml", "app: {port: 0, ready: {}}\n"),
            ("conf.d/c.yaml", "a: 1\na: 2\n"),
        ]);
        symlink("/nowhere", files.path("conf.d/d.yaml")).unwrap();
        let shown = files.problems(&[]);
        let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("  hint")).collect();
        assert!(lines[0].starts_with("main.yaml:2:3: error: unknown key `prot` in ssh"), "{shown}");
        assert!(lines[1].starts_with("main.yaml:3:9: error: `ssh.port`: expected"), "{shown}");
        assert!(lines[2].starts_with("conf.d/a.yaml:1:"), "{shown}");
        assert!(lines[3].starts_with("conf.d/b.yaml:1:13: error: `app.port`: port 0"), "{shown}");
        assert!(lines[4].starts_with("conf.d/c.yaml:1:1: error: unknown key `a`"), "{shown}");
        assert!(lines[5].starts_with("conf.d/c.yaml:2:1: error: `a` stands twice"), "{shown}");
        assert!(lines[6].starts_with("conf.d/d.yaml: error: cannot be read"), "{shown}");
        assert_eq!(lines.len(), 7, "{shown}");
    }

    #[test]
    fn a_fifo_or_folder_in_the_place_of_a_file_is_named_and_does_not_hang() {
        let files = Files::new(&[]);
        nix::unistd::mkfifo(&files.path("main.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::create_dir(files.path("conf.d/a.yaml")).unwrap();
        let shown = files.problems(&[]);
        assert!(shown.contains("main.yaml: error: cannot be read: not a regular file"), "{shown}");
        assert!(shown.contains("conf.d/a.yaml: error: cannot be read: not a regular file"), "{shown}");
    }

    #[test]
    fn a_file_that_is_far_too_large_is_not_read_to_its_end() {
        let files = Files::new(&[]);
        File::create(files.path("main.yaml")).unwrap().set_len(1 << 40).unwrap();
        assert!(files.problems(&[]).contains("main.yaml: error: larger than 1 MiB"));
    }

    #[test]
    fn links_to_files_are_followed_as_kubernetes_makes_them() {
        let files = Files::new(&[("real", "{ssh: {port: 5}}")]);
        symlink(files.path("real"), files.path("conf.d/a.yaml")).unwrap();
        assert_eq!(files.load(&[]).unwrap().config.ssh.port, 5);
    }

    #[test]
    fn a_drop_in_changes_the_form_of_a_password_and_removes_a_user() {
        let files = Files::new(&[
            ("main.yaml", "users: {a: {password: {text: x}}, b: {}}"),
            ("conf.d/a.yaml", "users: {a: {password: {file: /p}}, b: ~, c: ~}"),
        ]);
        let loaded = files.load(&[]).unwrap();
        assert_eq!(format!("{:?}", loaded.config.users["a"].password), "Some(File(/p))");
        assert_eq!(loaded.config.users.keys().collect::<Vec<_>>(), ["a"]);
        let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
        assert!(warning.message.contains("`users.c` is null, which removes it"), "{warning}");
    }

    #[test]
    fn variables_fill_typed_settings_with_and_without_quotes() {
        let config = one(
            "users: {a: {uid: \"${PUID:-}\", gid: \"${PGID:-7}\", sudo: \"${SUDO}\"}}\n\
             ssh:\n  port: ${PORT}\n  permit_root_login: ${ROOT:-no}\n\
             app: {user: \"${WHO:-}\", stop: {timeout: \"${STOP:-3s}\"}}\n\
             environment: {A: \"${EMPTY:-}\", B: \"${YAML}\"}\n",
            &[("PORT", "2222"), ("SUDO", "yes"), ("YAML", "{x: 1}")],
        );
        let user = &config.users["a"];
        assert_eq!((user.uid, user.gid, user.sudo), (None, Some(7), true));
        assert_eq!(config.ssh.port, 2222);
        let app = config.app.unwrap();
        assert_eq!((app.user, app.stop.timeout), (None, Some(std::time::Duration::from_secs(3))));
        assert_eq!(config.environment["A"], "");
        assert_eq!(config.environment["B"], "{x: 1}", "what a variable holds is not YAML");
    }

    #[test]
    fn an_unset_variable_is_an_error_only_where_it_is_used() {
        let files = Files::new(&[
            ("main.yaml", "ssh: {host_keys: \"${NOPE}\"}\npath: [\"${NADA}/bin\"]\n"),
            ("conf.d/a.yaml", "ssh: {host_keys: /k}"),
        ]);
        assert_eq!(
            files.problems(&[]),
            "main.yaml:2:8: error: the variable NADA is not set\n  \
             hint: write `${NADA:-}` if it may be missing, or `$${NADA}` to leave it to a shell"
        );
    }

    #[test]
    fn what_a_variable_holds_is_in_no_message() {
        let text = "version: ${S}\nssh: {port: \"${S}\", enabled: \"${S}\"}\nshutdown: {timeout: \"${S}\"}\n\
                    users: {a: {uid: \"${S}\", home: \"${S}\", password: {hash: \"${S}\"}}}\n\
                    app: {restart: \"${S}\", user: \"${S}\", ready: {http: \"${S}\"}, stop: {signal: \"${S}\"}}\n";
        let shown = Files::new(&[("main.yaml", text)]).problems(&[("S", "s3cret value")]);
        assert!(shown.matches("error").count() >= 6, "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn what_to_do_with_a_broken_config_is_read_from_it_where_possible() {
        let on_error = |text: &str, variables: &[(&str, &str)]| {
            Files::new(&[("main.yaml", text)]).load(variables).unwrap_err().on_error
        };
        assert_eq!(on_error("bad: 1", &[]), OnError::Rescue);
        assert_eq!(on_error("{bad: 1, on_error: exit}", &[]), OnError::Exit);
        assert_eq!(on_error("{bad: 1, on_error: \"${X}\"}", &[("X", "exit")]), OnError::Exit);
        assert_eq!(on_error("{on_error: exit, ]", &[]), OnError::Rescue);
        assert_eq!(on_error("]", &[("DEVINIT_ON_ERROR", "exit")]), OnError::Exit);
        assert_eq!(on_error("{bad: 1, on_error: exit}", &[("DEVINIT_ON_ERROR", "rescue")]), OnError::Rescue);
        assert_eq!(on_error("{bad: 1, on_error: exit}", &[("DEVINIT_ON_ERROR", "explode")]), OnError::Exit);
    }

    #[test]
    fn the_variable_goes_over_on_error_of_a_good_config_too() {
        assert_eq!(one("on_error: exit", &[("DEVINIT_ON_ERROR", "rescue")]).on_error, OnError::Rescue);
        let shown = Files::new(&[]).problems(&[("DEVINIT_ON_ERROR", "explode")]);
        assert_eq!(shown, "warning: the variable DEVINIT_ON_ERROR is neither `rescue` nor `exit`, and has no effect");
    }

    /// The configs that come with devinit.
    fn shipped() -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        list(&folder).into_iter().map(|path| path.unwrap()).collect()
    }

    #[test]
    fn every_config_that_is_shipped_loads_without_a_warning() {
        let paths = shipped();
        assert!(paths.len() >= 3, "{paths:?}");
        for main in paths {
            let loaded = load(&Sources { main, main_required: true, drop_ins: None, extra: Vec::new() }, &env(&[]));
            assert_eq!(loaded.unwrap().warnings, []);
        }
    }

    #[test]
    fn the_token_of_jupyter_is_on_no_command_line() {
        for main in shipped() {
            let sources = Sources { main, main_required: true, drop_ins: None, extra: Vec::new() };
            let config = load(&sources, &env(&[("JUPYTER_TOKEN", "s3cret")])).unwrap().config;
            assert!(!format!("{:?}", config.app.map(|app| app.command)).contains("s3cret"));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in r"((users|ssh|app|port|ready|password|a|1|\$\{A\}|~): ?|[\[\]{},\n ]|- ){0,40}",
        ) {
            let extra = vec![("(test)".to_owned(), text)];
            let sources = Sources { main: PathBuf::from("/nonexistent"), main_required: false, drop_ins: None, extra };
            if let Err(broken) = load(&sources, &env(&[])) {
                prop_assert!(broken.problems.iter().any(|problem| problem.severity == Severity::Error));
            }
        }
    }
}
