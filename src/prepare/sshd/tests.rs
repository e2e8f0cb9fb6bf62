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
