use super::*;

fn wanted() -> SshdWanted {
    SshdWanted {
        ipv6: true,
        strict_modes: true,
        home_keys: true,
        pid_file: PathBuf::from("/run/devinit/sshd.pid"),
        port: 22,
        listen: Vec::new(),
        host_keys: vec![PathBuf::from("/var/lib/devinit/ssh/ssh_host_ed25519_key")],
        keys_folder: PathBuf::from("/etc/devinit/keys"),
        permit_root_login: PermitRootLogin::ProhibitPassword,
        password_authentication: false,
        use_pam: false,
        x11_forwarding: true,
        environment: BTreeMap::new(),
        paths: BTreeMap::new(),
        escapes: true,
        image: ImageConfig::default(),
    }
}

/// The values of a directive, in their order.
fn values<'a>(config: &'a str, key: &str) -> Vec<&'a str> {
    config.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).collect()
}

#[test]
fn by_default_only_keys_open_the_door() {
    let config = render(&wanted());
    assert_eq!(values(&config, "PermitRootLogin"), ["prohibit-password"]);
    assert_eq!(values(&config, "AuthorizedKeysFile"), ["/etc/devinit/keys/%u .ssh/authorized_keys"]);
    for key in ["PasswordAuthentication", "KbdInteractiveAuthentication", "ChallengeResponseAuthentication"] {
        assert_eq!(values(&config, key), ["no"], "{key}");
    }
    assert_eq!(values(&config, "StrictModes"), [] as [&str; 0]);
    assert_eq!(values(&config, "SetEnv"), [] as [&str; 0]);
}

#[test]
fn a_password_is_asked_for_interactively_only_through_pam() {
    for (password, pam, interactive) in
        [(true, true, "yes"), (true, false, "no"), (false, true, "no"), (false, false, "no")]
    {
        let config = render(&SshdWanted { password_authentication: password, use_pam: pam, ..wanted() });
        assert_eq!(values(&config, "KbdInteractiveAuthentication"), [interactive]);
        assert_eq!(values(&config, "ChallengeResponseAuthentication"), [interactive]);
    }
}

#[test]
fn a_listen_address_cannot_bring_a_directive_of_its_own() {
    let listen = ["127.0.0.1", "::1", "0.0.0.0\nPermitRootLogin yes", "a b", ""].map(str::to_owned).to_vec();
    let config = render(&SshdWanted { listen, ..wanted() });
    assert_eq!(values(&config, "ListenAddress"), ["127.0.0.1", "::1"]);
}

#[test]
fn what_the_image_sets_comes_behind_what_devinit_sets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sshd_config");
    std::fs::write(&path, "PermitRootLogin yes\nMatch User bob\nX11Forwarding no\n").unwrap();
    let config = render(&SshdWanted { image: read_image_config(&path), ..wanted() });
    assert_eq!(values(&config, "PermitRootLogin"), ["prohibit-password", "yes"]);
    assert!(config.ends_with("Match User bob\nX11Forwarding no\n"), "{config}");
}

/// An environment, or PATHs by user.
fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_user_s_path_stands_in_a_block_between_the_image_s_directives_and_its_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sshd_config");
    std::fs::write(&path, "Banner /b\nMatch User bob\nX11Forwarding no\n").unwrap();
    let config = render(&SshdWanted {
        image: read_image_config(&path),
        environment: pairs([("A", "1"), ("PATH", "/bin")]),
        paths: pairs([("peid", "/home/peid/.local/bin:/bin")]),
        ..wanted()
    });
    assert_eq!(values(&config, "SetEnv"), [r#""A=1" "PATH=/bin""#, r#""A=1" "PATH=/home/peid/.local/bin:/bin""#]);
    let lines: Vec<&str> = config.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let block = [r#"SetEnv "A=1" "PATH=/home/peid/.local/bin:/bin""#, "Match User bob", "X11Forwarding no"];
    let end = [&["Banner /b", "Match User peid"][..], &block].concat();
    assert!(lines.ends_with(&end), "{config}");
}

#[test]
fn a_name_that_would_mean_others_as_well_gets_no_block() {
    for user in ["*", "a?", "!peid", "peid,root", "a b", "", "a\"b", "a#", "a\nPermitRootLogin yes", "a=b", "é", "a\\"]
    {
        let config = render(&SshdWanted { paths: pairs([(user, "/x:/bin")]), ..wanted() });
        assert!(!config.contains("Match") && values(&config, "SetEnv").is_empty(), "{user:?}: {config}");
        assert!(!is_matchable(user), "{user:?}");
    }
    for user in ["peid", "first.last", "samba$", "www-data", "a_1"] {
        assert!(is_matchable(user), "{user}");
    }
}

#[test]
fn a_path_that_an_old_sshd_cannot_read_leaves_everyone_s() {
    let paths = pairs([("peid", "/home/a#b/.local/bin:/bin")]);
    let config = render(&SshdWanted { paths: paths.clone(), escapes: false, ..wanted() });
    assert!(!config.contains("Match"), "{config}");
    assert!(render(&SshdWanted { paths, ..wanted() }).contains("Match User peid\n"));
}

mod real;

#[test]
fn without_ipv6_sshd_keeps_to_ipv4_so_that_windows_can_be_forwarded() {
    assert!(render(&SshdWanted { ipv6: false, ..wanted() }).contains("\nAddressFamily inet\n"));
    assert!(!render(&wanted()).contains("AddressFamily"));
}

#[test]
fn keys_in_homes_count_only_where_they_are_wanted() {
    let config = render(&SshdWanted { strict_modes: false, home_keys: false, ..wanted() });
    assert_eq!(values(&config, "AuthorizedKeysFile"), ["/etc/devinit/keys/%u"]);
    assert_eq!(values(&config, "StrictModes"), ["no"]);
}
