use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{EntryType, Header};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::fetch::Retry;

/// An entry of a tar as it stands, however hostile: the library's own builder refuses most of these.
struct Raw<'a> {
    name: &'a [u8],
    kind: EntryType,
    mode: u32,
    target: &'a [u8],
    content: &'a [u8],
}

fn file<'a>(name: &'a str, content: &'a str) -> Raw<'a> {
    let (name, content) = (name.as_bytes(), content.as_bytes());
    Raw { name, kind: EntryType::Regular, mode: 0o644, target: b"", content }
}

fn folder(name: &str) -> Raw<'_> {
    Raw { kind: EntryType::Directory, mode: 0o755, ..file(name, "") }
}

fn symlink<'a>(name: &'a str, target: &'a str) -> Raw<'a> {
    Raw { kind: EntryType::Symlink, target: target.as_bytes(), ..file(name, "") }
}

fn hard_link<'a>(name: &'a str, target: &'a str) -> Raw<'a> {
    Raw { kind: EntryType::Link, ..symlink(name, target) }
}

fn header(entry: &Raw<'_>) -> Header {
    let mut header = Header::new_gnu();
    let old = header.as_old_mut();
    old.name[..entry.name.len()].copy_from_slice(entry.name);
    old.linkname[..entry.target.len()].copy_from_slice(entry.target);
    header.set_entry_type(entry.kind);
    header.set_mode(entry.mode);
    header.set_size(entry.content.len() as u64);
    header.set_uid(12_345);
    header.set_gid(12_345);
    header.set_mtime(1);
    header.set_cksum();
    header
}

fn tar(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        builder.append(&header(entry), entry.content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A folder to unpack into, with others beside it that nothing may touch.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for sibling in ["a", "b", "canary"] {
            fs::create_dir(folder.path().join(sibling)).unwrap();
            fs::write(folder.path().join(sibling).join("c"), "untouched").unwrap();
        }
        fs::create_dir(folder.path().join("to")).unwrap();
        Self { folder }
    }

    fn to(&self) -> PathBuf {
        self.folder.path().join("to")
    }

    fn unpack(&self, archive: &[u8], options: &Options) -> Result<(), Failure> {
        let path = self.folder.path().join("x.archive");
        fs::write(&path, archive).unwrap();
        let result = unpack(&path, &self.to(), options);
        fs::remove_file(path).unwrap();
        self.check();
        result
    }

    /// That nothing was made or changed outside, and that nothing inside leads out.
    fn check(&self) {
        let outside: Vec<String> =
            all(self.folder.path()).into_iter().filter(|name| !name.starts_with("to/")).collect();
        assert_eq!(outside, ["a/", "a/c", "b/", "b/c", "canary/", "canary/c"]);
        for sibling in ["a/c", "b/c", "canary/c"] {
            let path = self.folder.path().join(sibling);
            assert_eq!(fs::read_to_string(&path).unwrap(), "untouched");
            assert_eq!(path.metadata().unwrap().nlink(), 1);
        }
        let root = self.to().canonicalize().unwrap();
        for (path, _) in below(&root) {
            let path = root.join(path);
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_symlink() {
                // Those that lead nowhere lead to no place outside either.
                assert!(path.canonicalize().is_ok_and(|end| end.starts_with(&root)) || !path.exists(), "{path:?}");
            } else {
                assert!(metadata.is_dir() || metadata.is_file());
                let mode = metadata.mode() & 0o7777;
                assert!(mode == 0o755 || (metadata.is_file() && mode == 0o644), "{path:?}: {mode:o}");
                assert_eq!(metadata.uid(), nix::unistd::geteuid().as_raw());
            }
        }
    }

    fn names(&self) -> Vec<String> {
        all(&self.to())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.to().join(name)).unwrap()
    }
}

/// All that is below a folder, as paths from there, and whether each is a folder.
fn below(folder: &Path) -> Vec<(PathBuf, bool)> {
    let mut paths = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = PathBuf::from(entry.file_name());
        let is_folder = entry.file_type().unwrap().is_dir();
        if is_folder {
            paths.extend(below(&entry.path()).into_iter().map(|(path, is_folder)| (name.join(path), is_folder)));
        }
        paths.push((name, is_folder));
    }
    paths
}

/// The names of all that is below a folder, in order, folders with a slash at the end.
fn all(folder: &Path) -> Vec<String> {
    let name = |(path, is_folder): (PathBuf, bool)| format!("{}{}", path.display(), if is_folder { "/" } else { "" });
    let mut names: Vec<String> = below(folder).into_iter().map(name).collect();
    names.sort();
    names
}

fn failure(archive: &[u8], options: &Options) -> Failure {
    let failure = Place::new().unpack(archive, options).unwrap_err();
    assert_eq!(failure.retry, Retry::Never, "{failure}");
    assert!(failure.hint.is_some(), "{failure}");
    assert!(!failure.text.chars().any(char::is_control), "{failure:?}");
    failure
}

/// Why a tar with these entries is refused, which is said of the last one.
fn refused(entries: &[Raw<'_>]) -> String {
    let text = failure(&tar(entries), &Options::default()).text;
    let name = String::from_utf8_lossy(entries.last().unwrap().name).into_owned();
    let begin = format!("the archive x.archive is refused: its entry {} ", crate::words::clean(&name, 200));
    text.strip_prefix(&begin).unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// As Node.js has it.
fn node() -> Vec<u8> {
    tar(&[
        folder("node-v24/"),
        folder("node-v24/bin/"),
        Raw { mode: 0o755, ..file("node-v24/bin/node", "ELF") },
        symlink("node-v24/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js"),
        Raw { mode: 0o755, ..file("node-v24/lib/node_modules/npm/bin/npm-cli.js", "#!") },
        file("node-v24/README.md", "read me"),
    ])
}

#[test]
fn a_tar_is_unpacked_with_its_links_and_modes() {
    let place = Place::new();
    place.unpack(&node(), &Options { strip: 1, ..Options::default() }).unwrap();
    assert_eq!(
        place.names(),
        [
            "README.md",
            "bin/",
            "bin/node",
            "bin/npm",
            "lib/",
            "lib/node_modules/",
            "lib/node_modules/npm/",
            "lib/node_modules/npm/bin/",
            "lib/node_modules/npm/bin/npm-cli.js",
        ]
    );
    assert_eq!(place.read("bin/npm"), "#!");
    let mode = |name: &str| place.to().join(name).metadata().unwrap().mode() & 0o7777;
    assert_eq!((mode("bin/node"), mode("README.md"), mode("lib/node_modules")), (0o755, 0o644, 0o755));
}

#[test]
fn every_compression_gives_the_same_tree() {
    // Larger than any buffer, and in three parts.
    let large = "0123456789abcdef".repeat(50_000);
    let tar = tar(&[file("a/large", &large), file("a/empty", ""), file("b", "b")]);
    let (first, rest) = tar.split_at(100_000);
    let parts = |compress: fn(&[u8]) -> Vec<u8>| [compress(first), compress(rest)].concat();
    let skipped = [&[0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &parts(zst)].concat();
    for archive in [tar.clone(), gz(&tar), parts(gz), xz(&tar), parts(xz), zst(&tar), parts(zst), skipped] {
        let place = Place::new();
        place.unpack(&archive, &Options::default()).unwrap();
        assert_eq!(place.names(), ["a/", "a/empty", "a/large", "b"]);
        assert!(place.read("a/large") == large);
    }
}

#[test]
fn long_names_of_gnu_and_of_pax_are_whole() {
    let name = format!("{}/{}", "f".repeat(150), "n".repeat(150));
    let target = "t".repeat(200);
    let mut gnu = tar::Builder::new(Vec::new());
    gnu.append_data(&mut header(&file("", "gnu")), &name, &b"gnu"[..]).unwrap();
    gnu.append_link(&mut header(&symlink("", "")), "link", &target).unwrap();
    let mut pax = tar::Builder::new(Vec::new());
    // With a value that has a line break in it, as macOS puts before the names.
    let attribute = "28 SCHILY.xattr.x=\n0123456\n";
    let records = format!("{attribute}{} path={name}\n", name.len() + 10);
    pax.append(&header(&Raw { kind: EntryType::XHeader, ..file("x", &records) }), records.as_bytes()).unwrap();
    pax.append(&header(&file("short", "pax")), &b"pax"[..]).unwrap();
    pax.append_pax_extensions([("linkpath", target.as_bytes())]).unwrap();
    pax.append(&header(&symlink("link", "short")), &b""[..]).unwrap();
    for (content, archive) in [("gnu", gnu), ("pax", pax)] {
        let place = Place::new();
        place.unpack(&archive.into_inner().unwrap(), &Options::default()).unwrap();
        assert_eq!(place.read(&name), content);
        assert_eq!(fs::read_link(place.to().join("link")).unwrap().to_str(), Some(&*target));
    }
}

#[test]
fn comments_of_git_and_names_that_are_no_text_pass() {
    let latin = Raw { name: b"Gr\xfc\xdfe", ..file("", "hello") };
    let comment = Raw { kind: EntryType::XGlobalHeader, ..file("pax_global_header", "17 comment=abcdef\n") };
    let place = Place::new();
    place.unpack(&tar(&[comment, latin, folder("old/"), file("v7/", "")]), &Options::default()).unwrap();
    assert_eq!(place.names().len(), 3);
    assert!(place.to().join(std::ffi::OsStr::from_bytes(b"Gr\xfc\xdfe")).is_file());
    assert!(place.to().join("v7").is_dir());
}

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

#[test]
fn truncated_archives_are_damaged_wherever_they_end() {
    let tar = tar(&[file("a/b", &"some text ".repeat(300)), symlink("c", "a/b"), file("d", "x")]);
    for archive in [&tar, &gz(&tar), &xz(&tar), &zst(&tar), &zip_of(|zip| zip.file("a", "some text", 0o644))] {
        // The end of a tar is one block of zeros of two; the rest is padding.
        let whole = if archive == &tar { tar.len() - 512 } else { archive.len() };
        for length in (6..whole).step_by(if whole > 2000 { 97 } else { 1 }) {
            let text = failure(&archive[..length], &Options::default()).text;
            let short = length < 262 && archive == &tar;
            assert!(short || text.contains("is truncated or damaged: "), "{length}: {text}");
        }
    }
    let empty = failure(&[], &Options::default());
    assert_eq!(empty.text, "x.archive is empty");
}

#[test]
fn flipped_bits_are_noticed_or_harmless_and_never_more() {
    let tar = tar(&[file("a/b", &"some text ".repeat(30)), symlink("c", "a/b"), file("d", "x")]);
    let zip = zip_of(|zip| {
        zip.file("a", "some text", 0o644);
        zip.link("b", "a");
    });
    for archive in [tar.clone(), gz(&tar), xz(&tar), zst(&tar), zip] {
        for position in 0..archive.len().min(700) {
            let mut archive = archive.clone();
            archive[position] ^= 1 << (position % 8);
            // `unpack` checks that nothing got out, and that nothing panics.
            let _ = Place::new().unpack(&archive, &Options { max_bytes: 1 << 20, ..Options::default() });
        }
    }
}

#[test]
fn a_wrong_checksum_of_the_compression_is_noticed() {
    let tar = tar(&[file("a", "text")]);
    for (archive, from_end) in [(gz(&tar), 8), (zst(&tar), 4)] {
        let mut archive = archive;
        let position = archive.len() - from_end;
        archive[position] ^= 1;
        let text = failure(&archive, &Options::default()).text;
        assert!(text.contains("is truncated or damaged: "), "{text}");
    }
}

#[test]
fn what_is_no_archive_is_called_what_it_is() {
    let knows = "not an archive that devinit knows (tar, tar.gz, tar.xz, tar.zst, zip)";
    for (bytes, what) in [
        (&b""[..], "empty".to_owned()),
        (b"\xef\xbb\xbf \r\n<!DOCTYPE HTML><title>Sign in</title>", "a web page, not an archive".to_owned()),
        (b"<html>", "a web page, not an archive".to_owned()),
        (b"<?xml version=\"1.0\"?><Error>", "a web page, not an archive".to_owned()),
        (b"\x7fELF\x02\x01", format!("a program (ELF), {knows}")),
        (b"BZh91AY", format!("compressed with bzip2, {knows}")),
        (b"Not Found", knows.to_owned()),
        (&[0; 600], knows.to_owned()),
        (&gz(b"a lone file"), "compressed, but there is no tar in it".to_owned()),
        (&zst(&[b'x'; 9000]), "compressed, but there is no tar in it".to_owned()),
    ] {
        assert_eq!(failure(bytes, &Options::default()).text, format!("x.archive is {what}"));
    }
}

#[test]
fn what_nothing_comes_out_of_is_an_error() {
    let text = |archive: &[u8], strip| {
        Place::new().unpack(archive, &Options { strip, ..Options::default() }).unwrap_err().text
    };
    assert_eq!(text(&gz(&[0; 1024]), 0), "the archive x.archive is empty");
    assert_eq!(text(&gz(b""), 0), "the archive x.archive is empty");
    assert_eq!(text(&zip_of(|_| ()), 0), "the archive x.archive is empty");
    assert_eq!(text(&tar(&[file("a", "")]), 1), "nothing is left of the archive x.archive without its first folder");
    assert_eq!(text(&node(), 9), "nothing is left of the archive x.archive without its first 9 folders");
}

#[test]
fn a_lone_file_is_taken_out() {
    let only = |only: &str, strip| Options { only: Some(only.to_owned()), strip, ..Options::default() };
    let place = Place::new();
    place.unpack(&gz(&node()), &only("./node-v24/bin/node", 2)).unwrap();
    assert_eq!(place.names(), ["node"]);
    assert_eq!(place.to().join("node").metadata().unwrap().permissions().mode() & 0o777, 0o755);
    let place = Place::new();
    place.unpack(&node(), &only("node-v24/README.md", 0)).unwrap();
    assert_eq!(place.names(), ["node-v24/", "node-v24/README.md"]);
    // The others are not made, so it does not matter what they are; only their names do.
    let odd = [symlink("lib", "/usr/lib"), Raw { mode: 0o755, ..file("tool", "ELF") }];
    Place::new().unpack(&tar(&odd), &only("tool", 0)).unwrap();
    failure(&tar(&[file("tool", ""), file("../canary/c", "evil")]), &only("tool", 0));
}

#[test]
fn a_lone_file_that_is_not_there_is_said_with_those_that_are() {
    let only = |only: &str| Options { only: Some(only.to_owned()), ..Options::default() };
    let names: Vec<String> = (1..8).map(|number| format!("bin/{number}")).collect();
    let mut entries = vec![folder("bin")];
    entries.extend(names.iter().map(|name| file(name, "")));
    let failure = failure(&tar(&entries), &only("bin"));
    assert_eq!(failure.text, "there is no bin in the archive x.archive");
    assert_eq!(failure.hint.unwrap(), "the files in it are bin/1, bin/2, bin/3, bin/4, bin/5 and 2 more");
    let failure = super::tests::failure(&node(), &only("node-v24/bin/npm"));
    assert!(failure.text.contains("is a link to ../lib/node_modules/npm/bin/npm-cli.js"), "{failure}");
    assert!(Place::new().unpack(&node(), &only("../x")).is_err());
}

#[test]
fn only_an_empty_folder_is_unpacked_into() {
    let place = Place::new();
    fs::write(place.to().join("x"), "").unwrap();
    let failure = place.unpack(&node(), &Options::default());
    fs::remove_file(place.to().join("x")).unwrap();
    assert!(failure.unwrap_err().text.ends_with("/to: the folder is not empty"));
    assert!(unpack(Path::new("/no/such.tar"), &place.to(), &Options::default()).is_err());
    assert!(unpack(Path::new("/etc"), &place.to(), &Options::default()).is_err());
    assert!(unpack(Path::new("/etc/passwd"), &place.to().join("missing"), &Options::default()).is_err());
}

struct Zip(ZipWriter<Cursor<Vec<u8>>>);

impl Zip {
    fn file(&mut self, name: &str, content: &str, mode: u32) {
        self.0.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        self.0.write_all(content.as_bytes()).unwrap();
    }

    fn stored(&mut self, name: &str, content: &str) {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        self.0.start_file(name, options).unwrap();
        self.0.write_all(content.as_bytes()).unwrap();
    }

    fn folder(&mut self, name: &str) {
        self.0.add_directory(name, SimpleFileOptions::default()).unwrap();
    }

    fn link(&mut self, name: &str, target: &str) {
        self.0.add_symlink(name, target, SimpleFileOptions::default()).unwrap();
    }
}

fn zip_of(fill: impl FnOnce(&mut Zip)) -> Vec<u8> {
    let mut zip = Zip(ZipWriter::new(Cursor::new(Vec::new())));
    fill(&mut zip);
    zip.0.finish().unwrap().into_inner()
}

#[test]
fn a_zip_is_unpacked_with_its_links_and_modes() {
    let archive = zip_of(|zip| {
        zip.folder("bun-linux-x64/");
        zip.file("bun-linux-x64/bun", &"ELF ".repeat(100_000), 0o755);
        zip.stored("bun-linux-x64/LICENSE", "MIT");
        zip.link("bun-linux-x64/bunx", "bun");
    });
    let place = Place::new();
    place.unpack(&archive, &Options { strip: 1, ..Options::default() }).unwrap();
    assert_eq!(place.names(), ["LICENSE", "bun", "bunx"]);
    assert_eq!(place.read("bunx").len(), 400_000);
    assert_eq!(place.to().join("bun").metadata().unwrap().mode() & 0o7777, 0o755);
    assert_eq!(place.to().join("LICENSE").metadata().unwrap().mode() & 0o7777, 0o644);
    let place = Place::new();
    let only = Options { strip: 1, only: Some("bun-linux-x64/bun".to_owned()), ..Options::default() };
    place.unpack(&archive, &only).unwrap();
    assert_eq!(place.names(), ["bun"]);
}

#[test]
fn a_hostile_zip_is_refused() {
    let default = Options::default();
    for (archive, why) in [
        (zip_of(|zip| zip.file("../canary/c", "evil", 0o644)), "leads out of the archive's folder"),
        (zip_of(|zip| zip.file("/etc/devinit-canary", "evil", 0o644)), "is an absolute path"),
        (zip_of(|zip| zip.link("a", "/etc")), "is a link to an absolute path"),
        (zip_of(|zip| zip.link("a", &"x/".repeat(5000))), "is a link to an impossible path"),
        (
            zip_of(|zip| {
                zip.link("a", "b");
                zip.file("a/passwd", "evil", 0o644);
            }),
            "has a folder where another entry has a file or a link",
        ),
        (changed(8, 1), "is encrypted"),
        (changed(10, 14 ^ 8), "is compressed in a way that devinit cannot read"),
        // From a file to a named pipe.
        (changed(41, 0x80 ^ 0x10), "is neither a file nor a folder nor a link"),
    ] {
        let text = failure(&archive, &default).text;
        assert!(text.starts_with("the archive x.archive is refused: its entry ") && text.ends_with(why), "{text}");
    }
    let bomb = zip_of(|zip| zip.file("zeros", &"0".repeat(2 << 20), 0o644));
    let options = Options { max_bytes: 1 << 20, ..default };
    assert!(failure(&bomb, &options).text.ends_with("there is more than 1.0 MiB in it"));
    let many = zip_of(|zip| (0..5).for_each(|number| zip.file(&number.to_string(), "", 0o644)));
    failure(&many, &Options { max_entries: 4, ..Options::default() });
}

/// A zip with one file, and bits of its central header turned over.
fn changed(offset: usize, bits: u8) -> Vec<u8> {
    let mut archive = zip_of(|zip| zip.file("a", "some text", 0o644));
    let header = archive.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    archive[header + offset] ^= bits;
    archive
}

#[derive(Clone, Debug)]
struct Random {
    name: String,
    kind: u8,
    target: String,
}

fn random() -> impl Strategy<Value = Vec<Random>> {
    let part = || prop::sample::select(vec!["a", "b", "c", "canary", "..", ".", "", "to"]);
    let path = move || prop::collection::vec(part(), 1..5).prop_map(|parts| parts.join("/"));
    // Mostly names that pass, or hardly any archive would get beyond its first entry.
    let name = prop_oneof![5 => prop::sample::select(vec!["a", "b", "a/b", "b/a", "a/b/c", "c/a"]).prop_map(str::to_owned), 1 => path()];
    let entry = (name, prop::sample::select(b"00112225".to_vec()), path());
    prop::collection::vec(entry.prop_map(|(name, kind, target)| Random { name, kind, target }), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_archive_makes_or_reaches_anything_outside(entries in random(), strip in 0u32..2) {
        let raw: Vec<Raw<'_>> = entries
            .iter()
            .map(|entry| Raw {
                name: entry.name.as_bytes(),
                kind: EntryType::new(entry.kind),
                mode: 0o7777,
                target: entry.target.as_bytes(),
                content: if entry.kind == b'0' { b"evil" } else { b"" },
            })
            .collect();
        // `unpack` checks all that is there afterwards.
        let _ = Place::new().unpack(&tar(&raw), &Options { strip, ..Options::default() });
    }
}
