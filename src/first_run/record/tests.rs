use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::{Duration, Instant};

use super::*;
use crate::first_run::{Installer, Job, Owner};
use crate::prepare::accounts::Account;

struct Fake(Value);

impl Installer for Fake {
    fn key(&self) -> Value {
        self.0.clone()
    }

    fn summary(&self) -> String {
        String::new()
    }

    fn install(&self, _: &mut Job<'_>) -> Result<Installed, Failure> {
        Ok(Installed::default())
    }
}

fn task(installer: Value) -> Task {
    let account = Account {
        name: "peid".to_owned(),
        uid: 3100,
        gid: 1100,
        home: "/home/peid".into(),
        shell: "/bin/sh".into(),
        groups: vec![1100],
        created: false,
    };
    Task {
        name: "uv".to_owned(),
        needs: Vec::new(),
        installer: Box::new(Fake(installer)),
        owner: Owner { place: Place::home(&account.home), account },
        environment: BTreeMap::from([("HTTPS_PROXY".to_owned(), "http://proxy:3128".to_owned())]),
        own_environment: BTreeMap::from([("UV_A".to_owned(), "1".to_owned()), ("UV_B".to_owned(), "2".to_owned())]),
        creates: Vec::new(),
        timeout: Duration::from_secs(1),
        retries: 4,
        optional: false,
    }
}

fn uv() -> Task {
    task(json!({"kind": "uv", "version": "latest"}))
}

fn record(task: &str) -> Record {
    Record {
        schema: 1,
        task: task.to_owned(),
        key: "00".to_owned(),
        finished: 1_790_000_000,
        took_ms: 3_200,
        installed: Installed { version: Some("0.12.5".to_owned()), files: vec!["/home/peid/.local/bin/uv".into()] },
        boot: boot(),
        settled: false,
    }
}

#[test]
fn a_record_that_may_have_outlived_what_it_tells_of_does_not_hold() {
    let here = record("uv");
    let before_a_power_cut = Record { boot: "another boot".to_owned(), ..here.clone() };
    let unknown = Record { boot: String::new(), ..here.clone() };
    assert!(here.holds() && !before_a_power_cut.holds() && !unknown.holds());
    assert!(Record { settled: true, ..before_a_power_cut }.holds());
}

#[test]
fn settling_says_so_in_the_records_of_this_boot_and_in_no_others() {
    let folder = tempfile::tempdir().unwrap();
    settle(&folder.path().join("missing")).unwrap();
    write(folder.path(), &record("uv")).unwrap();
    write(folder.path(), &Record { boot: "another boot".to_owned(), ..record("node") }).unwrap();
    settle(folder.path()).unwrap();
    assert!(read(folder.path(), "uv").unwrap().settled);
    assert!(!read(folder.path(), "node").unwrap().settled);
}

#[test]
fn the_key_is_a_hash_that_the_order_of_members_does_not_change() {
    let key = uv().key();
    assert_eq!(key.len(), 64);
    assert!(key.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()));
    let turned = task(serde_json::from_str(r#"{"version": "latest", "kind": "uv"}"#).unwrap());
    assert_eq!(turned.key(), key);
    let nested = |text: &str| task(serde_json::from_str(text).unwrap()).key();
    assert_eq!(nested(r#"{"a": [{"b": 1, "c": 2}]}"#), nested(r#"{"a": [{"c": 2, "b": 1}]}"#));
    assert_ne!(nested(r#"{"a": [1, 2]}"#), nested(r#"{"a": [2, 1]}"#), "the order of a list counts");
}

#[test]
fn whoever_has_a_kept_home_keeps_what_is_in_it_after_an_update_of_devinit() {
    // If this fails, everything is installed again everywhere: is that meant?
    assert_eq!(uv().key(), "37ab6555d05770f53ae6e507c9f53f84a142898ec2078901da4a9cefd3743020");
}

#[test]
fn a_step_is_done_again_for_what_changes_its_result_and_for_nothing_else() {
    type Change = fn(&mut Task);
    let redone: [Change; 5] = [
        |task| task.installer = Box::new(Fake(json!({"kind": "uv", "version": "0.12.5"}))),
        |task| task.owner.place.base = "/workspace/home".into(),
        |task| task.owner.account.name = "dev".to_owned(),
        |task| task.owner.place = Place::system(),
        |task| task.own_environment = BTreeMap::from([("UV_A".to_owned(), "2".to_owned())]),
    ];
    let kept: [Change; 6] = [
        |task| task.name = "my-uv".to_owned(),
        |task| task.needs = vec![1, 2],
        |task| (task.owner.account.uid, task.owner.account.gid) = (1000, 1000),
        |task| task.environment.clear(),
        |task| (task.timeout, task.retries, task.optional) = (Duration::ZERO, 0, true),
        |task| task.creates = vec!["/soft/app".into()],
    ];
    let key_after = |change: Change| {
        let mut task = uv();
        change(&mut task);
        task.key()
    };
    assert!(redone.iter().all(|change| key_after(*change) != uv().key()));
    assert!(kept.iter().all(|change| key_after(*change) == uv().key()));
}

#[test]
fn no_password_can_be_guessed_from_a_key() {
    let key = |name: &str, value: &str| {
        let mut task = uv();
        task.own_environment = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        task.key()
    };
    assert_eq!(key("DB_PASSWORD", "1234"), key("DB_PASSWORD", "4321"));
    assert_ne!(key("DB_PASSWORD", "1234"), key("HF_TOKEN", "1234"));
    assert_ne!(key("LEVEL", "1234"), key("LEVEL", "4321"));
    let url = |url: &str| task(json!({"url": url})).key();
    assert_eq!(url("https://me:1234@host/x?v=1"), url("https://me:4321@host/x?v=1"));
    assert_ne!(url("https://host/x?v=1"), url("https://host/x?v=2"));
}

#[test]
fn for_everyone_it_does_not_matter_who_root_is() {
    let system = |name: &str| {
        let mut task = uv();
        task.owner.place = Place::system();
        name.clone_into(&mut task.owner.account.name);
        task.key()
    };
    assert_eq!(system("root"), system("toor"));
}

#[test]
fn what_is_written_is_read_again_and_is_the_user_s_alone() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".local/state/devinit/first-run/records");
    assert_eq!(read(&folder, "uv"), None);
    write(&folder, &record("uv")).unwrap();
    assert_eq!(read(&folder, "uv"), Some(record("uv")));
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(folder.join("uv.json")).unwrap().mode() & 0o777, 0o600);
    remove(&folder, "uv").unwrap();
    remove(&folder, "uv").unwrap();
    assert_eq!(read(&folder, "uv"), None);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn anything_odd_is_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(format!("{name}.json"));
    let json = |record: &Record| serde_json::to_vec(record).unwrap();
    let mut long = json(&record("long"));
    long.resize(LONGEST + 1, b' ');
    fs::write(path("long"), long).unwrap();
    fs::write(path("newer"), json(&Record { schema: 2, ..record("newer") })).unwrap();
    fs::write(path("other"), json(&record("uv"))).unwrap();
    fs::write(path("half"), &json(&record("half"))[..40]).unwrap();
    fs::write(path("empty"), "").unwrap();
    fs::write(path("binary"), [0xff; 100]).unwrap();
    fs::write(path("deep"), "[".repeat(60_000)).unwrap();
    fs::write(path("real"), json(&record("link"))).unwrap();
    symlink(path("real"), path("link")).unwrap();
    fs::create_dir(path("folder")).unwrap();
    nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for name in ["long", "newer", "other", "half", "empty", "binary", "deep", "link", "folder", "fifo", "missing"] {
        assert_eq!(read(folder.path(), name), None, "{name}");
    }
}

#[test]
fn a_link_in_a_record_s_place_is_replaced_and_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    symlink(&victim, folder.path().join("uv.json")).unwrap();
    write(folder.path(), &record("uv")).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
    assert_eq!(read(folder.path(), "uv"), Some(record("uv")));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    fs::write(folder.path().join("victim.json"), "mine").unwrap();
    for name in ["", "..", "../victim", "/etc/passwd", "a/b", ".hidden", "a\0b", "a\n", &"x".repeat(201)] {
        let error = write(&records, &record(name)).unwrap_err();
        assert!(error.text.ends_with("cannot be the name of a record"), "{error}");
        assert_eq!(read(&records, name), None);
        remove(&records, name).unwrap();
    }
    assert!(folder.path().join("victim.json").exists());
}

#[test]
fn a_list_of_files_that_is_too_long_is_cut_so_that_the_record_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut many = record("uv");
    many.installed.files = (0..100_000).map(|number| format!("/home/peid/file-{number}").into()).collect();
    write(folder.path(), &many).unwrap();
    let files = read(folder.path(), "uv").unwrap().installed.files;
    assert!(files.len() > 500 && many.installed.files.starts_with(&files));
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = write(&file.join("records"), &record("uv")).unwrap_err();
    assert!(error.text.starts_with(&format!("failed to create {}/records: ", file.display())), "{error}");
}

/// Prints what a record costs; the disk decides how much.
#[test]
fn a_record_costs_little() {
    let folder = tempfile::tempdir().unwrap();
    let count = 100;
    let begin = Instant::now();
    for number in 0..count {
        write(folder.path(), &record(&format!("step-{number}"))).unwrap();
    }
    let written = begin.elapsed() / count;
    let begin = Instant::now();
    for number in 0..count {
        assert!(read(folder.path(), &format!("step-{number}")).is_some());
    }
    println!("a record: written in {written:?}, read in {:?}", begin.elapsed() / count);
}
