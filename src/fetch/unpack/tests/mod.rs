mod hostile;
mod random;
mod zips;

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use tar::{EntryType, Header};
use tempfile::TempDir;

use super::*;
use crate::fetch::Retry;
use zips::zip_of;

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
        // In memory where that can be: these are thousands of small trees.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
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
