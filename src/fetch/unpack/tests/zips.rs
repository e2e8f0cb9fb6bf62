use std::io::Cursor;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

pub(super) struct Zip(ZipWriter<Cursor<Vec<u8>>>);

impl Zip {
    pub(super) fn file(&mut self, name: &str, content: &str, mode: u32) {
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

    pub(super) fn link(&mut self, name: &str, target: &str) {
        self.0.add_symlink(name, target, SimpleFileOptions::default()).unwrap();
    }
}

pub(super) fn zip_of(fill: impl FnOnce(&mut Zip)) -> Vec<u8> {
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
