//! Tars that nobody honest would make.

use super::*;

#[test]
fn paths_that_lead_out_are_refused() {
    for name in ["../canary/c", "a/../../canary/c", "..", "a/..", "./../x"] {
        assert_eq!(refused(&[file("ok", ""), file(name, "evil")]), "leads out of the archive's folder");
        assert_eq!(refused(&[folder(name)]), "leads out of the archive's folder");
    }
    assert_eq!(refused(&[file("/etc/devinit-canary", "evil")]), "is an absolute path");
    assert_eq!(refused(&[file("./", "x"), file(".", "evil")]), "has no name");
}

#[test]
fn what_strip_leaves_out_does_not_hide_a_path_that_leads_out() {
    let options = Options { strip: 1, ..Options::default() };
    for entries in [[file("../canary/c", "evil")], [symlink("top/a", "../top/b")], [file("/canary/c", "evil")]] {
        failure(&tar(&entries), &options);
    }
}

#[test]
fn links_that_lead_out_are_refused() {
    for (name, target, why) in [
        ("a", "/etc", "is a link to an absolute path"),
        ("a", "..", "is a link that leads out of the archive's folder"),
        ("a/b", "../../canary", "is a link that leads out of the archive's folder"),
        ("a/b", "c/../../..", "is a link with '..' in the middle of its target"),
        ("a", "", "is a link to nothing"),
        ("a", "x\ny", "is a link to an impossible path"),
    ] {
        assert_eq!(refused(&[symlink(name, target)]), why, "{name} -> {target}");
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let why = "has a folder where another entry has a file or a link";
    assert_eq!(refused(&[symlink("a", "b"), file("a/passwd", "evil")]), why);
    assert_eq!(refused(&[folder("b"), symlink("a", "b"), file("a/x", "evil")]), why);
    assert_eq!(refused(&[symlink("a", "."), symlink("a/b", "..")]), why);
    assert_eq!(refused(&[symlink("a", "b"), folder("a")]), why);
    assert_eq!(refused(&[file("a", ""), file("a/b", "")]), why);
    // A file in place of a link replaces the link, and not what it leads to.
    let place = Place::new();
    let entries = [file("victim", "kept"), symlink("a", "victim"), file("a", "new")];
    place.unpack(&tar(&entries), &Options::default()).unwrap();
    assert_eq!((&*place.read("a"), &*place.read("victim")), ("new", "kept"));
}

#[test]
fn links_through_links_that_add_up_to_a_way_out_are_refused() {
    // a/b is the folder itself, so c would be the one above it.
    assert_eq!(
        refused(&[folder("a"), symlink("a/b", ".."), symlink("c", "a/b/../canary")]),
        "is a link with '..' in the middle of its target"
    );
}

#[test]
fn hard_links_lead_only_to_files_of_the_same_archive() {
    let why = "is a hard link to what is not a file that came before it";
    assert_eq!(refused(&[hard_link("a", "missing")]), why);
    assert_eq!(refused(&[hard_link("a", "a")]), why);
    assert_eq!(refused(&[file("a", ""), hard_link("a", "a")]), why);
    assert_eq!(refused(&[folder("f"), hard_link("a", "f")]), why);
    assert_eq!(refused(&[symlink("s", "x"), hard_link("a", "s")]), why);
    assert_eq!(refused(&[folder("f"), symlink("s", "f"), file("f/x", ""), hard_link("a", "s/x")]), why);
    for outside in ["../canary/c", "/etc/passwd", ""] {
        assert_eq!(refused(&[hard_link("a", outside)]), "is a link that leads out of the archive");
    }
    let place = Place::new();
    let entries = [file("t/a", "same"), hard_link("t/f/b", "t/a"), file("t/a", "other")];
    place.unpack(&tar(&entries), &Options { strip: 1, ..Options::default() }).unwrap();
    assert_eq!((&*place.read("f/b"), &*place.read("a")), ("same", "other"));
}

#[test]
fn special_files_are_refused() {
    for (kind, why) in [
        (EntryType::Char, "is a device"),
        (EntryType::Block, "is a device"),
        (EntryType::Fifo, "is a named pipe"),
        (EntryType::new(b'V'), "is neither a file nor a folder nor a link"),
    ] {
        assert_eq!(refused(&[Raw { kind, ..file("dev/x", "") }]), why);
    }
}

#[test]
fn no_bits_but_that_to_execute_are_taken_over() {
    let place = Place::new();
    let entries = [
        Raw { mode: 0o6755, ..file("suid", "") },
        Raw { mode: 0o1777, ..folder("sticky") },
        Raw { mode: 0o666, ..file("open", "") },
        Raw { mode: 0, ..file("closed", "") },
        Raw { mode: 0, ..folder("shut") },
        file("shut/x", ""),
    ];
    // `check` looks at the modes of all.
    place.unpack(&tar(&entries), &Options::default()).unwrap();
    assert_eq!(place.to().join("suid").metadata().unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn a_folder_is_never_replaced() {
    let why = "is a file or a link where another entry has a folder";
    assert_eq!(refused(&[file("a/b", ""), file("a", "")]), why);
    assert_eq!(refused(&[file("a/b", ""), symlink("a", "x")]), why);
    assert_eq!(refused(&[file("x", ""), folder("a"), hard_link("a", "x")]), why);
    let place = Place::new();
    place.unpack(&tar(&[folder("a"), file("b", "1"), folder("a"), file("b", "2")]), &Options::default()).unwrap();
    assert_eq!(place.read("b"), "2");
}

#[test]
fn names_are_cleaned_before_they_are_shown() {
    assert_eq!(refused(&[file("\u{1b}[2Jx\n", "")]), "has control characters in its name");
}

#[test]
fn more_than_may_be_is_refused() {
    let few = Options { max_entries: 3, ..Options::default() };
    let small = Options { max_bytes: 10, ..Options::default() };
    let text = failure(&tar(&[file("1", ""), file("2", ""), file("3", ""), file("4", "")]), &few).text;
    assert_eq!(text, "the archive x.archive is refused: there is more than 3 entries in it");
    failure(&tar(&[file("1/2/3/4/5", "")]), &few);
    Place::new().unpack(&tar(&[file("1/2/3/4", "")]), &few).unwrap();
    let text = failure(&tar(&[file("1", "12345"), file("2", "678901")]), &small).text;
    assert_eq!(text, "the archive x.archive is refused: there is more than 10 B in it");
    Place::new().unpack(&tar(&[file("1", "12345"), file("2", "67890")]), &small).unwrap();
    // What is left out counts as well.
    failure(&tar(&[file("1", "12345678901")]), &Options { only: Some("2".into()), ..small.clone() });
    failure(&tar(&[Raw { kind: EntryType::XGlobalHeader, ..file("g", "12345678901") }]), &small);
}

#[test]
fn bombs_end_early() {
    let zeros = gz(&vec![0; 30 << 20]);
    let options = Options { max_bytes: 1 << 20, ..Options::default() };
    // A long name of 4 GiB.
    let mut name = header(&Raw { kind: EntryType::GNULongName, ..file("././@LongLink", "") });
    name.set_size(4 << 30);
    name.set_cksum();
    let name = [gz(name.as_bytes()), zeros.clone()].concat();
    assert!(failure(&name, &options).text.ends_with("too much between two entries or after the last one"));
    // A file that is larger than the limit, and one that says that it is.
    let mut large = header(&file("large", ""));
    large.set_size(4 << 30);
    large.set_cksum();
    let large = [gz(large.as_bytes()), zeros.clone()].concat();
    assert!(failure(&large, &options).text.ends_with("there is more than 1.0 MiB in it"));
    // Zeros after the end.
    let tail = [gz(&tar(&[file("a", "")])), zeros].concat();
    assert!(failure(&tail, &options).text.ends_with("too much between two entries or after the last one"));
}

#[test]
fn a_sparse_file_is_as_large_as_it_gets() {
    let mut hole = header(&Raw { kind: EntryType::GNUSparse, ..file("hole", "") });
    let gnu = hole.as_gnu_mut().unwrap();
    gnu.set_real_size(1 << 40);
    gnu.sparse[0].set_offset(1 << 40);
    gnu.sparse[0].set_length(0);
    hole.set_cksum();
    let archive = [hole.as_bytes(), &[0; 1024][..]].concat();
    let options = Options { max_bytes: 1 << 20, ..Options::default() };
    assert!(failure(&archive, &options).text.ends_with("there is more than 1.0 MiB in it"));
    let mut pax = tar::Builder::new(Vec::new());
    pax.append_pax_extensions([("GNU.sparse.major", &b"1"[..])]).unwrap();
    pax.append(&header(&file("map", "1\n0\n")), &b"1\n0\n"[..]).unwrap();
    let text = failure(&pax.into_inner().unwrap(), &Options::default()).text;
    assert!(text.ends_with("is a sparse file of a kind that devinit cannot unpack"), "{text}");
}
