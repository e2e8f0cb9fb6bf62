//! What the account files look like afterwards, judged by shadow-utils too.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::note::Level;
use crate::prepare::password;

const TODAY: u64 = 20_000;
const HASH: &str = "$6$rounds=5000$abcdefghijklmnop$U5WzTHUPKbqZBXhUNvpsOjqFZ0Zw1mOmpqfIUmNYRhF3kF4vIlUvLYF.x1E8Ei2OOUmPWY1gJYpM0VqC6wQzG0";

fn defaults() -> Defaults {
    Defaults { shell: "/bin/bash".into(), today: TODAY }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn debian() -> Database {
    Database {
        passwd: bytes(
            "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
             sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n",
        ),
        shadow: bytes("root:*:19700:0:99999:7:::\ndaemon:*:19700:0:99999:7:::\nsshd:!:19700::::::\n"),
        group: bytes("root:x:0:\ndaemon:x:1:\nvideo:x:44:\nusers:x:100:\nnogroup:x:65534:\n"),
        gshadow: bytes("root:*::\ndaemon:*::\nvideo:*::\nusers:*::\nnogroup:!::\n"),
    }
}

fn ubuntu() -> Database {
    let append = |file: Option<Vec<u8>>, line: &str| file.map(|bytes| [bytes.as_slice(), line.as_bytes()].concat());
    let base = debian();
    Database {
        passwd: append(base.passwd, "ubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash\n"),
        shadow: append(base.shadow, "ubuntu:!:19837:0:99999:7:::\n"),
        group: append(base.group, "adm:x:4:syslog,ubuntu\nubuntu:x:1000:\n"),
        gshadow: append(base.gshadow, "adm:*:ubuntu:syslog,ubuntu\nubuntu:!::\n"),
    }
}

fn alpine() -> Database {
    Database {
        passwd: bytes("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"),
        shadow: bytes("root:*::0:::::\nnobody:!::0:::::\n"),
        group: bytes("root:x:0:root\nusers:x:100:games\nnobody:x:65534:\n"),
        gshadow: None,
    }
}

fn without_shadow() -> Database {
    Database { passwd: bytes("root:x:0:0:root:/root:/bin/sh\n"), group: bytes("root:x:0:\n"), ..Database::default() }
}

fn user(name: &str) -> Wanted {
    Wanted { name: name.into(), ..Wanted::default() }
}

fn peid() -> Wanted {
    Wanted {
        uid: Some(3100),
        gid: Some(1100),
        shell: Some("/bin/zsh".into()),
        groups: vec!["video".into(), "render".into()],
        ..user("peid")
    }
}

fn run(database: &Database, wanted: &[Wanted]) -> Outcome {
    let outcome = reconcile(database, wanted, &defaults());
    let again = reconcile(&outcome.database, wanted, &defaults());
    assert_eq!(text(&outcome.database), text(&again.database), "a second boot changes nothing");
    assert_eq!(again.changes, Vec::<String>::new());
    assert_eq!(outcome.database == *database, outcome.changes.is_empty(), "each change is told: {:?}", outcome.changes);
    outcome
}

fn text(database: &Database) -> [String; 4] {
    let Database { passwd, shadow, group, gshadow } = database;
    [passwd, shadow, group, gshadow].map(|f| f.as_deref().map_or("none".into(), |f| f.escape_ascii().to_string()))
}

/// The line of a name in a file.
fn line(file: &Option<Vec<u8>>, name: &str) -> String {
    let file = String::from_utf8_lossy(file.as_deref().unwrap_or_default()).into_owned();
    let lines: Vec<&str> = file.lines().filter(|line| line.split(':').next() == Some(name)).collect();
    assert!(lines.len() <= 1, "{name} stands there twice: {lines:?}");
    lines.first().map_or(String::new(), |line| (*line).to_owned())
}

fn errors(outcome: &Outcome) -> Vec<&str> {
    outcome.notes.iter().filter(|note| note.level == Level::Error).map(|note| note.text.as_str()).collect()
}

fn warnings(outcome: &Outcome) -> Vec<&str> {
    outcome.notes.iter().filter(|note| note.level == Level::Warning).map(|note| note.text.as_str()).collect()
}

#[test]
fn a_new_user_is_made_in_all_four_files() {
    let outcome = run(&debian(), &[peid()]);
    let database = &outcome.database;
    assert_eq!(line(&database.passwd, "peid"), "peid:x:3100:1100::/home/peid:/bin/zsh");
    assert_eq!(line(&database.shadow, "peid"), "peid:*:20000:0:99999:7:::");
    assert_eq!(line(&database.group, "peid"), "peid:x:1100:");
    assert_eq!(line(&database.gshadow, "peid"), "peid:!::");
    assert_eq!(line(&database.group, "video"), "video:x:44:peid");
    assert_eq!(line(&database.gshadow, "video"), "video:*::peid");
    assert_eq!(line(&database.group, "render"), "render:x:999:peid");
    let [account] = &outcome.accounts[..] else { panic!("{:?}", outcome.accounts) };
    assert!(account.created);
    assert_eq!(account.groups, [1100, 44, 999]);
    assert_eq!(errors(&outcome), Vec::<&str>::new());
}

#[test]
fn a_user_without_wishes_gets_the_first_free_ids_and_the_default_shell() {
    let outcome = run(&ubuntu(), &[user("peid")]);
    assert_eq!(line(&outcome.database.passwd, "peid"), "peid:x:1001:1001::/home/peid:/bin/bash");
    assert_eq!(line(&outcome.database.group, "peid"), "peid:x:1001:");
}

#[test]
fn what_is_not_asked_for_stays() {
    let outcome = run(&ubuntu(), &[Wanted { shell: Some("/bin/zsh".into()), ..user("ubuntu") }]);
    assert_eq!(line(&outcome.database.passwd, "ubuntu"), "ubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/zsh");
    assert_eq!(
        outcome.changes,
        ["user ubuntu: shell /bin/bash → /bin/zsh", "user ubuntu: no password, reached by key"]
    );
    assert!(!outcome.accounts[0].created);
}

#[test]
fn root_that_is_right_changes_nothing() {
    for database in [debian(), ubuntu(), alpine()] {
        let outcome = run(&database, &[user("root")]);
        assert_eq!(text(&outcome.database), text(&database));
        assert_eq!(outcome.notes, []);
    }
}

#[test]
fn alpine_has_no_gshadow_and_gets_none() {
    let outcome = run(&alpine(), &[peid()]);
    assert_eq!(outcome.database.gshadow, None);
    assert_eq!(line(&outcome.database.group, "video"), "video:x:999:peid");
    assert_eq!(line(&outcome.database.group, "users"), "users:x:100:games");
}

#[test]
fn without_a_shadow_file_the_hash_goes_into_passwd_and_that_is_warned_about() {
    let wanted = Wanted { password: Some(PasswordWanted::Hash(HASH.into())), ..user("peid") };
    let outcome = run(&without_shadow(), &[wanted, user("root"), user("other")]);
    assert_eq!(line(&outcome.database.passwd, "peid"), format!("peid:{HASH}:1000:1000::/home/peid:/bin/bash"));
    assert_eq!(line(&outcome.database.passwd, "other"), "other:*:1001:1001::/home/other:/bin/bash");
    assert_eq!(line(&outcome.database.passwd, "root"), "root:*:0:0:root:/root:/bin/sh");
    assert_eq!(outcome.database.shadow, None);
    assert!(warnings(&outcome)[0].contains("everyone can read it"));
}

#[test]
fn an_image_without_any_account_file_gets_the_two_that_are_needed() {
    let outcome = run(&Database::default(), &[Wanted { uid: Some(0), gid: Some(0), ..user("root") }]);
    assert_eq!(outcome.database.passwd, bytes("root:*:0:0::/home/root:/bin/bash\n"));
    assert_eq!(outcome.database.group, bytes("root:x:0:\n"));
    assert_eq!(outcome.database.shadow, None);
    assert_eq!(run(&Database::default(), &[]).database, Database::default());
}

#[test]
fn lines_that_are_not_understood_survive_in_their_place() {
    let mut database = debian();
    database.passwd =
        Some(b"# mine\nroot:x:0:0::/root:/bin/sh:extra\nbad\n\nlatin:x:7:7:Andr\xe9:/:/bin/sh\r\n+@nis::::::".to_vec());
    let outcome = run(&database, &[user("peid"), user("root")]);
    let expected: &[u8] = b"# mine\nroot:x:0:0::/root:/bin/sh:extra\nbad\n\nlatin:x:7:7:Andr\xe9:/:/bin/sh\r\n\
        peid:x:1000:1000::/home/peid:/bin/bash\n+@nis::::::";
    assert_eq!(outcome.database.passwd.unwrap().escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn a_dos_line_ending_is_taken_from_wanted_users_whose_shell_it_would_break() {
    let mut database = without_shadow();
    database.passwd = bytes("root:*:0:0::/root:/bin/sh\r\nother:*:5:5::/:/bin/sh\r\n");
    let outcome = run(&database, &[user("root")]);
    assert_eq!(outcome.database.passwd, bytes("root:*:0:0::/root:/bin/sh\nother:*:5:5::/:/bin/sh\r\n"));
}

#[test]
fn a_taken_uid_is_an_error_by_default_and_the_others_go_on() {
    let outcome = run(&ubuntu(), &[Wanted { uid: Some(1000), ..user("peid") }, user("other")]);
    assert_eq!(line(&outcome.database.passwd, "peid"), "");
    assert_eq!(line(&outcome.database.passwd, "other"), "other:x:1001:1001::/home/other:/bin/bash");
    assert!(errors(&outcome)[0].contains("uid 1000 belongs to ubuntu"), "{:?}", outcome.notes);
    assert_eq!(outcome.accounts.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["other"]);
}

#[test]
fn reuse_shares_the_uid_and_the_group() {
    let wanted = Wanted { uid: Some(1000), on_collision: OnCollision::Reuse, ..user("peid") };
    let outcome = run(&ubuntu(), &[wanted]);
    assert_eq!(line(&outcome.database.passwd, "peid"), "peid:x:1000:1000::/home/peid:/bin/bash");
    assert!(line(&outcome.database.passwd, "ubuntu").starts_with("ubuntu:x:1000:"));
}

#[test]
fn rename_gives_the_account_its_new_name_everywhere() {
    let wanted = Wanted { uid: Some(1000), on_collision: OnCollision::Rename, ..user("peid") };
    let outcome = run(&ubuntu(), &[wanted]);
    let database = &outcome.database;
    assert_eq!(line(&database.passwd, "peid"), "peid:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash");
    assert_eq!(line(&database.shadow, "peid"), "peid:*:19837:0:99999:7:::");
    assert_eq!(line(&database.group, "adm"), "adm:x:4:syslog,peid");
    assert_eq!(line(&database.gshadow, "adm"), "adm:*:peid:syslog,peid");
    assert_eq!(line(&database.passwd, "ubuntu") + &line(&database.shadow, "ubuntu"), "");
    assert!(!outcome.accounts[0].created);
}

#[test]
fn a_rename_does_not_wake_up_an_old_password_of_the_new_name() {
    let mut database = ubuntu();
    database.shadow = bytes(&format!("peid:{HASH}:1:0:99999:7:::\nubuntu:!:19837:0:99999:7:::\n"));
    let wanted = Wanted { uid: Some(1000), on_collision: OnCollision::Rename, ..user("peid") };
    assert_eq!(run(&database, &[wanted]).database.shadow, bytes("peid:*:19837:0:99999:7:::\n"));
}

#[test]
fn a_new_account_does_not_inherit_the_password_of_a_line_left_behind() {
    let mut database = debian();
    database.shadow.as_mut().unwrap().extend(format!("peid:{HASH}:1:0:99999:7:::\n").bytes());
    assert_eq!(line(&run(&database, &[user("peid")]).database.shadow, "peid"), "peid:*:1:0:99999:7:::");
}

#[test]
fn move_gives_the_holder_a_free_uid_and_says_whose_its_files_are_now() {
    let wanted = Wanted { uid: Some(1000), on_collision: OnCollision::Move, ..user("peid") };
    let outcome = run(&ubuntu(), &[wanted]);
    assert_eq!(line(&outcome.database.passwd, "ubuntu"), "ubuntu:x:1001:1000:Ubuntu:/home/ubuntu:/bin/bash");
    assert!(line(&outcome.database.passwd, "peid").starts_with("peid:x:1000:"));
    assert!(warnings(&outcome)[0].contains("files of ubuntu keep the old number"));
}

#[test]
fn users_that_exchange_their_ids_do_so_without_a_collision_policy_only_if_one_can_go_first() {
    let chain = [Wanted { uid: Some(1000), ..user("peid") }, Wanted { uid: Some(2000), ..user("ubuntu") }];
    let outcome = run(&ubuntu(), &chain);
    assert_eq!(errors(&outcome), Vec::<&str>::new());
    assert_eq!(outcome.accounts.iter().map(|a| a.uid).collect::<Vec<_>>(), [1000, 2000]);
}

#[test]
fn two_wanted_users_with_the_same_uid_do_not_push_each_other_out() {
    for policy in [OnCollision::Error, OnCollision::Move, OnCollision::Rename] {
        let twin = |name: &str| Wanted { uid: Some(1500), on_collision: policy, ..user(name) };
        let outcome = run(&debian(), &[twin("first"), twin("second")]);
        assert_eq!(outcome.accounts.len(), 1, "{policy:?}");
        assert_eq!(errors(&outcome).len(), 1, "{policy:?}");
    }
}

#[test]
fn root_keeps_uid_0_to_itself_unless_shared_on_purpose() {
    for policy in [OnCollision::Error, OnCollision::Move, OnCollision::Rename] {
        let outcome = run(&debian(), &[Wanted { uid: Some(0), on_collision: policy, ..user("peid") }]);
        assert!(errors(&outcome)[0].contains("uid 0 is root's"), "{policy:?}");
        assert_eq!(outcome.accounts, []);
    }
    let outcome = run(&debian(), &[Wanted { uid: Some(0), on_collision: OnCollision::Reuse, ..user("toor") }]);
    assert!(line(&outcome.database.passwd, "toor").starts_with("toor:x:0:0:"));
    let outcome = run(&debian(), &[Wanted { uid: Some(5), on_collision: OnCollision::Move, ..user("root") }]);
    assert!(errors(&outcome)[0].contains("root cannot have uid 5"));
}

#[test]
fn a_gid_that_exists_is_used_under_the_name_that_it_has() {
    let outcome = run(&debian(), &[Wanted { gid: Some(100), ..user("peid") }]);
    assert!(line(&outcome.database.passwd, "peid").starts_with("peid:x:1000:100:"));
    assert_eq!(line(&outcome.database.group, "peid"), "");
}

#[test]
fn a_private_group_goes_with_its_user_to_the_wanted_gid() {
    let outcome = run(&ubuntu(), &[Wanted { gid: Some(1100), ..user("ubuntu") }]);
    assert_eq!(line(&outcome.database.group, "ubuntu"), "ubuntu:x:1100:");
    assert!(line(&outcome.database.passwd, "ubuntu").starts_with("ubuntu:x:1000:1100:"));
}

#[test]
fn a_group_name_that_is_taken_by_others_is_left_to_them() {
    let outcome = run(&debian(), &[Wanted { gid: Some(1100), ..user("video") }]);
    assert_eq!(line(&outcome.database.group, "video"), "video:x:44:");
    assert_eq!(line(&outcome.database.group, "video-1100"), "video-1100:x:1100:");
}

#[test]
fn placeholders_become_a_star_as_sshd_refuses_keys_of_a_locked_account() {
    for placeholder in ["!", "!!", "!*", "*", "x"] {
        let mut database = debian();
        database.shadow = bytes(&format!("root:{placeholder}:19700:0:99999:7:::\n"));
        let outcome = run(&database, &[user("root")]);
        assert_eq!(line(&outcome.database.shadow, "root"), "root:*:19700:0:99999:7:::", "{placeholder}");
    }
}

#[test]
fn a_locked_hash_and_an_empty_password_stay_and_are_warned_about() {
    for (field, word) in [(format!("!{HASH}"), "locked"), (String::new(), "empty password")] {
        let mut database = debian();
        database.shadow = bytes(&format!("root:{field}:19700:0:99999:7:::\n"));
        let outcome = run(&database, &[user("root")]);
        assert_eq!(outcome.database, database);
        assert!(warnings(&outcome)[0].contains(word), "{:?}", outcome.notes);
        assert!(!warnings(&outcome)[0].contains("$6$"));
    }
}

#[test]
fn a_password_is_hashed_once_and_never_shown() {
    let wanted = Wanted { password: Some(PasswordWanted::Text("123456".into())), ..user("root") };
    let outcome = run(&debian(), std::slice::from_ref(&wanted));
    let shadow = line(&outcome.database.shadow, "root");
    let fields: Vec<&str> = shadow.split(':').collect();
    assert!(password::verify(fields[1], "123456"));
    assert_eq!(fields[2], "20000");
    assert!(warnings(&outcome)[0].contains("shorter than 8"));
    let shown = format!("{wanted:?} {outcome:?}");
    assert!(!shown.contains("123456") && !shown.contains("$6$"), "{shown}");
}

#[test]
fn another_password_replaces_the_old_hash() {
    let text = |text: &str| Wanted { password: Some(PasswordWanted::Text(text.into())), ..user("root") };
    let first = run(&debian(), &[text("correct horse")]).database;
    let second = run(&first, &[text("battery staple")]).database;
    assert!(password::verify(line(&second.shadow, "root").split(':').nth(1).unwrap(), "battery staple"));
}

#[test]
fn what_is_no_hash_does_not_get_into_shadow() {
    for hash in ["hunter2", "$6$a:b$c", "$6$salt$hash\nevil::0:0:::", "$6$$", "", "$6$salt$"] {
        let wanted = Wanted { password: Some(PasswordWanted::Hash(hash.into())), ..user("root") };
        let outcome = run(&debian(), &[wanted]);
        assert_eq!(outcome.database, debian(), "{hash:?}");
        assert!(errors(&outcome)[0].contains("not a crypt(5) hash"));
        assert!(!errors(&outcome)[0].contains("hunter2"));
    }
}

#[test]
fn a_password_in_passwd_moves_to_shadow_where_there_is_one() {
    let mut database = debian();
    database.passwd = bytes(&format!("root:{HASH}:0:0::/root:/bin/sh\n"));
    let outcome = run(&database, &[user("root")]);
    assert_eq!(line(&outcome.database.passwd, "root"), "root:x:0:0::/root:/bin/sh");
    assert!(line(&outcome.database.shadow, "root").starts_with(&format!("root:{HASH}:")));
}

#[test]
fn names_and_paths_that_would_break_the_files_are_refused() {
    for name in ["", "a:b", "a\nb", "a,b", "../x", "-rf", "+", "1000", "a b", ".", "%u", &"x".repeat(33)] {
        let outcome = run(&debian(), &[user(name)]);
        assert_eq!(outcome.database, debian(), "{name:?}");
        assert_eq!(errors(&outcome).len(), 1);
        assert!(!errors(&outcome)[0].contains('\n'));
    }
    for home in ["relative", "/a:b", "/a\nb"] {
        let outcome = run(&debian(), &[Wanted { home: Some(home.into()), ..user("peid") }]);
        assert_eq!(outcome.database, debian(), "{home:?}");
    }
    let outcome = run(&debian(), &[Wanted { groups: vec!["a:b".into(), "video".into()], ..user("root") }]);
    assert_eq!(line(&outcome.database.group, "video"), "video:x:44:root");
    assert_eq!(errors(&outcome).len(), 1);
}

#[test]
fn a_group_that_another_wanted_user_brings_along_is_not_made_twice() {
    let first = Wanted { groups: vec!["second".into()], ..user("first") };
    let outcome = run(&debian(), &[first, user("second")]);
    assert_eq!(line(&outcome.database.group, "second"), "second:x:1001:first");
}

// On disk

fn etc_of(database: &Database) -> tempfile::TempDir {
    let etc = tempfile::tempdir().unwrap();
    let files =
        [("passwd", &database.passwd, 0o644), ("shadow", &database.shadow, 0o640), ("group", &database.group, 0o644)];
    for (name, bytes, mode) in files.into_iter().chain([("gshadow", &database.gshadow, 0o640)]) {
        if let Some(bytes) = bytes {
            fs::write(etc.path().join(name), bytes).unwrap();
            fs::set_permissions(etc.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    etc
}

#[test]
fn a_second_apply_writes_nothing_not_even_a_lock() {
    let etc = etc_of(&debian());
    assert!(!apply(etc.path(), &[peid()], &defaults()).unwrap().changes.is_empty());
    let state = || {
        let mut files: Vec<_> = fs::read_dir(etc.path()).unwrap().map(|e| e.unwrap()).collect();
        files.sort_by_key(std::fs::DirEntry::file_name);
        let of = |e: fs::DirEntry| (e.file_name(), e.metadata().unwrap().ino(), e.metadata().unwrap().mtime_nsec());
        (fs::metadata(etc.path()).unwrap().mtime_nsec(), files.into_iter().map(of).collect::<Vec<_>>())
    };
    let before = state();
    let again = apply(etc.path(), &[peid()], &defaults()).unwrap();
    assert_eq!(again.accounts[0].uid, 3100);
    assert_eq!(state(), before);
    assert_eq!(fs::metadata(etc.path().join("shadow")).unwrap().mode() & 0o7777, 0o640);
}

#[test]
fn an_untouched_file_is_not_written() {
    let etc = etc_of(&debian());
    let inode = |name: &str| fs::metadata(etc.path().join(name)).unwrap().ino();
    let (passwd, group, shadow) = (inode("passwd"), inode("group"), inode("shadow"));
    apply(etc.path(), &[Wanted { shell: Some("/bin/sh".into()), ..user("root") }], &defaults()).unwrap();
    assert_ne!(inode("passwd"), passwd);
    assert_eq!((inode("group"), inode("shadow")), (group, shadow));
}

#[test]
fn shadow_utils_find_nothing_to_complain_about() {
    let wanted = [
        Wanted { home: Some("/".into()), shell: Some("/bin/sh".into()), ..peid() },
        Wanted {
            uid: Some(1000),
            on_collision: OnCollision::Rename,
            password: Some(PasswordWanted::Text("correct horse".into())),
            ..user("dev")
        },
    ];
    let mut database = ubuntu();
    database.group = database.group.map(|g| String::from_utf8(g).unwrap().replace("syslog,", "").into_bytes());
    database.gshadow = database.gshadow.map(|g| String::from_utf8(g).unwrap().replace("syslog,", "").into_bytes());
    let root = tempfile::tempdir().unwrap();
    let etc = root.path().join("etc");
    fs::rename(etc_of(&database).keep(), &etc).unwrap();
    apply(&etc, &wanted, &defaults()).unwrap();
    for folder in ["root", "usr/sbin", "run/sshd", "home/ubuntu", "bin"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    for shell in ["bin/sh", "bin/bash", "usr/sbin/nologin"] {
        fs::write(root.path().join(shell), "").unwrap();
        fs::set_permissions(root.path().join(shell), fs::Permissions::from_mode(0o755)).unwrap();
    }
    for tool in ["pwck", "grpck"] {
        let Ok(output) = Command::new(tool).arg("-r").arg("-R").arg(root.path()).output() else { continue };
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!((said.as_str(), output.status.code()), ("", Some(0)), "{tool}");
    }
}

#[test]
fn a_useradd_at_the_same_time_loses_no_line() {
    if Command::new("useradd").arg("--help").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let prefix = tempfile::tempdir().unwrap();
    let etc = prefix.path().join("etc");
    fs::create_dir(&etc).unwrap();
    fs::write(etc.join("login.defs"), "").unwrap();
    for (name, bytes) in [
        ("passwd", debian().passwd),
        ("shadow", debian().shadow),
        ("group", debian().group),
        ("gshadow", debian().gshadow),
    ] {
        fs::write(etc.join(name), bytes.unwrap()).unwrap();
    }
    let add = |n: u32| {
        let mut useradd = Command::new("useradd");
        useradd.arg("--prefix").arg(prefix.path()).args([
            "-M",
            "-U",
            "-u",
            &(5000 + n).to_string(),
            &format!("theirs{n}"),
        ]);
        useradd.stderr(Stdio::null()).stdout(Stdio::null());
        useradd
    };
    std::thread::scope(|scope| {
        let theirs = scope.spawn(|| (0..5).filter(|n| add(*n).status().unwrap().success()).collect::<Vec<_>>());
        for n in 0..10 {
            apply(&etc, &[Wanted { uid: Some(6000 + n), ..user(&format!("ours{n}")) }], &defaults()).unwrap();
        }
        let theirs = theirs.join().unwrap();
        assert!(!theirs.is_empty());
        let database = read(&etc).unwrap();
        for name in theirs.iter().map(|n| format!("theirs{n}")).chain((0..10).map(|n| format!("ours{n}"))) {
            for file in [&database.passwd, &database.shadow, &database.group, &database.gshadow] {
                assert_ne!(line(file, &name), "", "{name}");
            }
        }
    });
}

#[test]
fn where_nothing_can_be_written_those_who_exist_are_told_and_one_warning_says_why() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let etc = etc_of(&ubuntu());
    fs::set_permissions(etc.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let code = crate::sys::as_user(12345, 12345, &[], &mut || {
        let Ok(outcome) = apply(etc.path(), &[user("ubuntu"), user("peid")], &defaults()) else { return 1 };
        let [note] = &outcome.notes[..] else { return 2 };
        let told = note.level == Level::Warning && note.text.contains("Permission denied; missing: peid");
        i32::from(!(told && outcome.accounts.len() == 1 && outcome.accounts[0].uid == 1000)) * 3
    });
    assert_eq!(code.unwrap(), 0);
    assert_eq!(text(&read(etc.path()).unwrap()), text(&ubuntu()));
}

#[test]
fn a_run_that_was_killed_between_two_files_is_completed_by_the_next_one() {
    for policy in [OnCollision::Rename, OnCollision::Move, OnCollision::Reuse] {
        let wanted = [Wanted { uid: Some(1000), gid: Some(1100), on_collision: policy, ..peid() }, user("other")];
        let before = ubuntu();
        let after = reconcile(&before, &wanted, &defaults()).database;
        // In the order in which they are written.
        let mut part = before.clone();
        for step in 0..3 {
            match step {
                0 => part.gshadow = after.gshadow.clone(),
                1 => part.group = after.group.clone(),
                _ => part.shadow = after.shadow.clone(),
            }
            let completed = reconcile(&part, &wanted, &defaults()).database;
            assert_eq!(text(&completed), text(&after), "{policy:?}, step {step}");
        }
    }
}

#[test]
fn a_run_that_is_killed_at_any_moment_leaves_whole_files_and_the_next_one_completes() {
    let wanted = [Wanted { uid: Some(1000), on_collision: OnCollision::Rename, ..peid() }, user("other")];
    let after = reconcile(&ubuntu(), &wanted, &defaults()).database;
    let own = Attributes::own(0);
    let mut killed = 0;
    for step in 0..40 {
        let etc = etc_of(&ubuntu());
        let ended = crate::sys::as_user(own.uid, own.gid, &[], &mut || {
            std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_micros(step * 250));
                nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL)
            });
            i32::from(apply(etc.path(), &wanted, &defaults()).is_err())
        });
        killed += i32::from(ended.is_err());
        let (now, before, done) = (text(&read(etc.path()).unwrap()), text(&ubuntu()), text(&after));
        for file in 0..4 {
            assert!(now[file] == before[file] || now[file] == done[file], "step {step}: {}", now[file]);
        }
        apply(etc.path(), &wanted, &defaults()).unwrap();
        assert_eq!(text(&read(etc.path()).unwrap()), done, "step {step}");
        let mut left: Vec<_> = fs::read_dir(etc.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".pwd.lock", "group", "gshadow", "passwd", "shadow"], "step {step}");
    }
    assert!(killed > 0);
}

// At random

const NAMES: [&str; 6] = ["root", "ubuntu", "peid", "alice", "video", "render"];

fn any_name() -> impl Strategy<Value = String> {
    prop::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn any_id() -> impl Strategy<Value = u32> {
    prop::sample::select(&[0, 44, 999, 1000, 1001, 1002, 1100, 4_294_967_295][..])
}

fn any_file(line: impl Strategy<Value = String>) -> impl Strategy<Value = Option<Vec<u8>>> {
    let odd = prop::sample::select(
        &[
            "",
            "#c",
            "+::::::",
            "-x",
            "peid",
            "peid:",
            ":::::::",
            "alice:x:1:q::::",
            "\u{e9}:x:77:77:\u{e9}::",
            " peid:x:0:0:::",
        ][..],
    );
    let line = prop_oneof![4 => line, 1 => odd.prop_map(str::to_owned)];
    let ending = prop::sample::select(&["\n", "\n", "\n", "\r\n"][..]);
    let lines = prop::collection::vec((line, ending), 0..8);
    prop::option::weighted(
        0.8,
        (lines, any::<bool>()).prop_map(|(lines, cut)| {
            let mut text: String = lines.into_iter().map(|(line, ending)| line + ending).collect();
            if cut {
                text.pop();
            }
            text.into_bytes()
        }),
    )
}

prop_compose! {
    fn any_database()(
        passwd in any_file((any_name(), prop::sample::select(&["x", "*", "", "!"][..]), any_id(), any_id()).prop_map(|(n, p, u, g)| format!("{n}:{p}:{u}:{g}:,,:/h/{n}:/bin/sh"))),
        shadow in any_file((any_name(), prop::sample::select(&["x", "*", "", "!", "!!", "!$6$a$b", "$6$a$b"][..])).prop_map(|(n, p)| format!("{n}:{p}:1:0:99999:7:::"))),
        group in any_file((any_name(), any_id(), prop::collection::vec(any_name(), 0..3)).prop_map(|(n, g, m)| format!("{n}:x:{g}:{}", m.join(",")))),
        gshadow in any_file((any_name(), prop::collection::vec(any_name(), 0..3)).prop_map(|(n, m)| format!("{n}:!:{}:{}", m.join(","), m.join(",")))),
    ) -> Database {
        Database { passwd, shadow, group, gshadow }
    }
}

prop_compose! {
    fn any_wanted()(
        name in any_name(),
        uid in prop::option::of(any_id()),
        gid in prop::option::of(any_id()),
        shell in prop::option::of(Just(PathBuf::from("/bin/zsh"))),
        home in prop::option::of(Just(PathBuf::from("/data"))),
        groups in prop::collection::vec(any_name(), 0..3),
        password in prop::option::of(prop::sample::select(&["$6$a$b", "*", "!", "nonsense"][..])),
        on_collision in prop::sample::select(&[OnCollision::Error, OnCollision::Reuse, OnCollision::Rename, OnCollision::Move][..]),
    ) -> Wanted {
        let password = password.map(|hash| PasswordWanted::Hash(hash.into()));
        Wanted { name, uid, gid, shell, home, groups, password, on_collision }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_boot_changes_no_byte(database in any_database(), wanted in prop::collection::vec(any_wanted(), 0..5)) {
        let first = reconcile(&database, &wanted, &defaults());
        let second = reconcile(&first.database, &wanted, &defaults());
        prop_assert_eq!(text(&first.database), text(&second.database));
        prop_assert_eq!(&second.changes, &Vec::<String>::new());
        prop_assert_eq!(first.database == database, first.changes.is_empty());
    }

    #[test]
    fn nobody_becomes_root_and_nobody_is_left_without_a_guard(database in any_database(), wanted in prop::collection::vec(any_wanted(), 0..5)) {
        let outcome = reconcile(&database, &wanted, &defaults());
        let before = database.passwd.clone().unwrap_or_default();
        for account in outcome.accounts.iter().filter(|account| account.uid == 0 && account.name != "root") {
            let was = lookup(&before, &account.name).is_some_and(|entry| entry.uid == 0);
            let shared = wanted.iter().any(|w| w.name == account.name && w.on_collision == OnCollision::Reuse);
            prop_assert!(was || shared, "{:?}", account);
        }
        for account in outcome.accounts.iter().filter(|account| account.created) {
            let passwd = files::Table::parse(outcome.database.passwd.as_deref().unwrap_or_default());
            let guard = passwd.user(&account.name).map(|user| passwd.field(user.row, files::passwd::PASSWORD).to_vec());
            prop_assert!(guard.is_some_and(|guard| !guard.is_empty()));
        }
    }

    #[test]
    fn lines_of_others_survive_in_order(database in any_database(), wanted in any_wanted()) {
        let outcome = reconcile(&database, std::slice::from_ref(&wanted), &defaults());
        let foreign = |file: &Option<Vec<u8>>| -> Vec<Vec<u8>> {
            let names = NAMES.map(str::as_bytes);
            let lines = file.as_deref().unwrap_or_default().split(|byte| *byte == b'\n');
            lines.filter(|l| !l.is_empty() && !names.contains(&l.split(|b| b":\r".contains(b)).next().unwrap_or_default())).map(<[u8]>::to_vec).collect()
        };
        let new = |line: &Vec<u8>| line.starts_with(wanted.name.as_bytes());
        for (before, after) in [(&database.passwd, &outcome.database.passwd), (&database.shadow, &outcome.database.shadow), (&database.group, &outcome.database.group), (&database.gshadow, &outcome.database.gshadow)] {
            prop_assert_eq!(foreign(before), foreign(after).into_iter().filter(|line| !new(line)).collect::<Vec<_>>());
        }
    }
}
