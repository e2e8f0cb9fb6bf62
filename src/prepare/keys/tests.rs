use proptest::prelude::*;

use super::*;

const ED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOFsjNynWbR+Rr4k1MYMxOsMACTkMx6bZAjXrRnd9mIL";
const ED_PRINT: &str = "SHA256:W7J//tS/prJzW9TufzWYfWfMlp4uuQfovc3o9DFUjS8";
const EC: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDdKgqPfcuh+F0ZKW1Jw1cr5q+MFCu7FGD53biZM3/e4XGvM29MM4vH1mfN9iBcWklRDsyUu9nnLwAw0cr2CtGI=";
const EC_PRINT: &str = "SHA256:fXDL2KbK9CQMc0GKzyq6yKShFAqfx0NcIpZEARA+pyo";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCRaAq0QXNLb8gwYO9cYRAV8opHH6PZGrR9PFe/l2npCTaGYRJCjujCbrnHhw41SchZ8iXUDjZF8+9Iv50m/aTAok+G5+qSBdtJdbzNrGdGJF1pMOykiWinqzsusACS14/fnMoxsuoT/lUv4uSfvS3KEG8ufNQOri65cggPv3HaLKnGzeHc8lxFswgsA8Wq8j2D6othpg3mJ6sirhAkPLcfvujCMHLmSSmecN3vKiXHPMj3fTrUIc4wr49lcUZzkMM0Yk26TCgNLt2zEH7UT2JyIeER2OJr2MvD5mCvFHdF/vKNDVQxFF5V1WD5QRGMu69XtkLt7tFN6DllUO1M50Pv";
const RSA_PRINT: &str = "SHA256:AzLBZZissFm4t55iuP7I5NxCXBHmUS7bFFBK0bEIM+8";
const RSA_1024: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCTOYQFwpiKHugQ6fx1tFpdnUO57IeBZXoGmugt20RWMW5TrvitnTcwFKvzxG6cHPd6P+A07W9GRK9YQ8bDdcWuTHNQtp4RrL4abXuQYrKx1K59s91vyA58pPOy3bWXMqTE1n5KKMZe3eu2wdNp9ooO0Ze6cW2td2KpNKjwAx+0aw==";

/// An authorized_keys line for any type, with these fields behind the type.
fn made_up(kind: &str, fields: &[&[u8]]) -> String {
    let mut blob = Vec::new();
    for field in [kind.as_bytes()].iter().chain(fields) {
        blob.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
        blob.extend(*field);
    }
    format!("{kind} {}", wire::encode_base64(&blob))
}

fn lines(text: &str) -> Vec<String> {
    let parsed = parse(text, "test");
    assert_eq!(parsed.notes, [], "{text}");
    parsed.keys.into_iter().map(|key| key.line).collect()
}

/// The only note about a text without a usable key.
fn refusal(text: &str) -> Note {
    let parsed = parse(text, "PUBLIC_KEY");
    assert_eq!(parsed.keys, [], "{text}");
    assert_eq!(parsed.notes.len(), 1, "{:?}", parsed.notes);
    parsed.notes[0].clone()
}

#[test]
fn fingerprints_are_those_that_ssh_keygen_prints() {
    let parsed = parse(&format!("{ED} a\n{EC} b\n{RSA} c\n"), "test");
    let prints: Vec<_> = parsed.keys.iter().map(|key| key.fingerprint.as_str()).collect();
    assert_eq!(prints, [ED_PRINT, EC_PRINT, RSA_PRINT]);
    let kinds: Vec<_> = parsed.keys.iter().map(|key| key.algorithm.as_str()).collect();
    assert_eq!(kinds, ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]);
}

#[test]
fn what_editors_shells_and_secret_stores_do_to_a_key_is_undone() {
    let wanted = [format!("{ED} me@host"), format!("{EC} b")];
    for text in [
        format!("{ED} me@host\n{EC} b"),
        format!("\u{feff}{ED} me@host\r\n\r\n# comment\r\n  {EC}   b  \r\n"),
        format!("\"{ED} me@host\n{EC} b\""),
        format!("'{ED} me@host'\n'{EC} b'\n"),
        format!("\"{ED} me@host\"\n\"{EC} b\""),
        format!("\"{ED} me@host\\n{EC} b\\n\""),
        format!("{ED} me@host\\r\\n{EC} b"),
        format!("{ED} me@host,{EC} b"),
        format!("{ED} me@host, {EC} b,"),
        format!("{ED} me@host{EC} b"),
        format!("{ED} me@host {EC} b"),
        format!("{ED}\tme@host\r{EC} b"),
        format!("# {EC} old\\n{ED} me@host\\n#,{RSA} x\\n{EC} b"),
    ] {
        assert_eq!(lines(&text), wanted, "{text}");
    }
}

#[test]
fn keys_without_comments_that_were_joined_are_told_apart() {
    assert_eq!(lines(&format!("{ED}{EC}{RSA}")), [ED, EC, RSA]);
    assert_eq!(lines(&format!("{ED},{EC},{RSA}")), [ED, EC, RSA]);
    assert_eq!(lines(&format!("{ED},{EC},")), [ED, EC]);
}

#[test]
fn options_with_blanks_commas_and_literal_newlines_in_quotes_stay_as_they_are() {
    for options in [
        "no-pty",
        "command=\"a, b\",no-pty",
        r#"command="printf 'a\nb' \"c d\"",no-X11-forwarding"#,
        "from=\"10.0.0.0/8,!10.0.0.1\",environment=\"A=b c\"",
        &format!("command=\"echo {EC} x\""),
    ] {
        let line = format!("{options} {ED} me@host");
        assert_eq!(lines(&line), std::slice::from_ref(&line), "{line}");
        assert_eq!(lines(&format!("{EC} b\\n{line}")), [format!("{EC} b"), line.clone()], "{line}");
    }
}

#[test]
fn a_joined_key_never_loses_the_options_before_it() {
    for between in ["x restrict ", "x@hostrestrict ", "x@host,command=\"a b\" ", "x no-pty,command=\"id\" "] {
        let parsed = parse(&format!("{ED} {between}{EC} b"), "test");
        let prints: Vec<_> = parsed.keys.iter().map(|key| key.fingerprint.as_str()).collect();
        assert_eq!(prints, [ED_PRINT], "{between}");
        assert!(parsed.notes[0].text.contains("line of its own"), "{:?}", parsed.notes);
    }
}

#[test]
fn security_keys_authorities_and_types_of_the_future_are_kept() {
    let sk = made_up("sk-ssh-ed25519@openssh.com", &[&[7; 32], b"ssh:"]);
    let future = made_up("mlkem-ed25519@example.org", &[b"anything"]);
    let authority = format!("cert-authority,principals=\"a,b\" {ED} ca");
    for line in [&sk, &future, &format!("restrict {future} x"), &authority] {
        assert_eq!(lines(line), [line.as_str()]);
    }
    assert!(parse(&authority, "test").keys[0].authority);
}

#[test]
fn a_key_stands_once_and_the_first_wins_but_an_authority_is_another_thing() {
    let text = format!("restrict {ED} first\n{ED} second\ncert-authority {ED} ca\n");
    assert_eq!(lines(&text), [format!("restrict {ED} first"), format!("cert-authority {ED} ca")]);
}

#[test]
fn missing_padding_is_put_back() {
    assert_eq!(lines(EC.trim_end_matches('=')), [EC]);
}

#[test]
fn each_bad_line_is_named_with_its_number_and_its_reason() {
    let cut = |line: &str, count: usize| line[..line.len() - count].to_owned();
    let dsa = made_up("ssh-dss", &[b"p", b"q", b"g", b"y"]);
    let certificate = made_up("ssh-ed25519-cert-v01@openssh.com", &[b"x"]);
    for (bad, reason) in [
        ("404: Not Found".to_owned(), "not found"),
        ("<!DOCTYPE html><title>x</title>".to_owned(), "HTML"),
        ("https://github.com/me.keys".to_owned(), "PUBLIC_KEY_URL"),
        ("/run/secrets/me.pub".to_owned(), "PUBLIC_KEY_FILE"),
        ("hunter2".to_owned(), "is not a key"),
        ("ssh-ed25519".to_owned(), "no key after it"),
        ("ssh-ed25519 ***".to_owned(), "not whole base64"),
        (cut(ED, 4), "cut short"),
        (cut(RSA, 8), "cut short"),
        (RSA_1024[..100].to_owned(), "cut short"),
        (format!("{}AAAA", cut(EC, 0).trim_end_matches('=')), "after its end"),
        (ED.replace("ssh-ed25519 ", "ssh-rsa "), "holds a ssh-ed25519 key"),
        (ED.replace("ssh-ed25519 ", ""), "lacks the key type"),
        (dsa, "DSA"),
        (certificate, "certificate"),
        (format!("command=\"oops {ED}"), "never closed"),
        (format!("command=id {ED}"), "double quotes"),
        (format!("Bob's {ED}"), "neither a key type nor an option"),
        ("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----".to_owned(), "PEM"),
    ] {
        let parsed = parse(&format!("# keys\n\n{bad}\n{ED} ok\n"), "PUBLIC_KEY");
        assert_eq!(parsed.keys.len(), 1, "{bad}");
        assert_eq!(parsed.notes.len(), 1, "{bad}: {:?}", parsed.notes);
        assert!(parsed.notes[0].text.starts_with("PUBLIC_KEY, line 3: "), "{:?}", parsed.notes);
        assert!(parsed.notes[0].text.contains(reason), "{bad}: {:?}", parsed.notes);
    }
}

#[test]
fn a_short_rsa_key_is_refused_with_its_size() {
    let n = [0x7f_u8; 96];
    assert!(refusal(&made_up("ssh-rsa", &[b"\x01\0\x01", &n])).text.contains("767 bits"));
    assert_eq!(lines(RSA_1024), [RSA_1024]);
}

#[test]
fn a_private_key_is_said_loudly_and_never_echoed() {
    let body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQ";
    for text in [
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"),
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\\n{body}\\n-----END OPENSSH PRIVATE KEY-----"),
        format!("-----BEGIN RSA PRIVATE KEY----- {body} -----END RSA PRIVATE KEY-----"),
        body.to_owned(),
        format!("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n{body}\nPrivate-MAC: 00"),
    ] {
        let note = refusal(&text);
        assert_eq!(note.level, crate::note::Level::Error);
        assert!(note.text.contains("PRIVATE key"));
        assert!(!note.text.contains("b3Blb") && !note.text.contains("c2VjcmV0"), "{}", note.text);
    }
}

#[test]
fn what_is_not_a_key_is_never_repeated_in_a_note() {
    assert!(!refusal("s3cret-passw0rd").text.contains("s3cret"));
    assert!(!refusal("ssh-s3cret-passw0rd").text.contains('\u{1b}'));
    assert!(!refusal("ssh-\u{1b}[31m AAAA").text.contains('\u{1b}'));
}

#[test]
fn the_ssh2_format_is_converted() {
    let base64 = ED.split(' ').nth(1).unwrap();
    let (first, second) = base64.split_at(40);
    let text = format!(
        "---- BEGIN SSH2 PUBLIC KEY ----\nSubject: x\nComment: \"me@\\\nhost\"\n{first}\n{second}\n---- END SSH2 PUBLIC KEY ----\n{EC} b\n"
    );
    let parsed = parse(&text, "test");
    assert_eq!(parsed.notes, []);
    let prints: Vec<_> = parsed.keys.iter().map(|key| key.fingerprint.as_str()).collect();
    assert_eq!(prints, [ED_PRINT, EC_PRINT]);
    assert!(refusal(&format!("---- BEGIN SSH2 PUBLIC KEY ----\n{first}\n")).text.contains("cut short"));
}

#[test]
fn control_characters_do_not_survive_in_a_comment() {
    assert_eq!(lines(&format!("{ED} a\u{1b}[31mb\0c")), [format!("{ED} a[31mbc")]);
}

#[test]
fn many_bad_lines_make_few_notes() {
    let parsed = parse(&"nonsense\n".repeat(500), "test");
    assert_eq!(parsed.notes.len(), MAX_NOTES + 1);
    assert!(parsed.notes[MAX_NOTES].text.contains("500 lines"));
}

#[test]
fn a_text_without_end_is_refused_and_hostile_texts_take_no_time() {
    assert!(refusal(&"x".repeat(MAX_TEXT + 1)).text.contains("larger than"));
    let begin = std::time::Instant::now();
    for unit in ["\" ", "\\n\"", "a\\n", "AAAA ", ",", "ssh-rsa ", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 ", "'\"\n"] {
        let _ = parse(&unit.repeat(MAX_TEXT / unit.len()), "test");
    }
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}

#[test]
fn the_file_says_who_rewrites_it_and_reads_back_as_the_same_keys() {
    let keys = parse(&format!("restrict {ED} a\n{EC}"), "test").keys;
    let content = file_content("peid", &keys);
    assert!(content.starts_with("# Keys that open the account peid. devinit rewrites this file at each boot"));
    assert_eq!(parse(&content, "test"), Parsed { keys, notes: Vec::new() });
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic_or_a_line_with_a_line_end(text in "(?s).{0,200}") {
        let options = "command=\"x\"";
        for text in [text.clone(), format!("{ED} {text}"), format!("{options},{text} {EC}{text}{ED}")] {
            for key in parse(&text, "test").keys {
                prop_assert!(!key.line.contains(['\n', '\r', '\0']));
            }
        }
    }

    #[test]
    fn what_was_normalised_stays_as_it_is(comment in "[a-zA-Z@. ]{0,20}") {
        let once = parse(&format!("{ED} {comment}"), "test").keys;
        let again = parse(&once[0].line, "test").keys;
        prop_assert_eq!(once, again);
    }
}
