//! Long texts that the binary carries: the config's schema, completions and the manual page. A test makes each from the
//! code and says when its file is behind: that way the binary does not carry the code that makes them.

use std::io::Read;

/// All of them, compressed by build.rs: name and text in turn, with a zero byte after each.
const COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/texts.z"));

/// What is in a file of the sources, named by its path; empty if build.rs does not list it.
pub(crate) fn text(file: &str) -> String {
    let mut all = String::new();
    // Nothing but the build has written it, so it can be read.
    let _ = flate2::read::ZlibDecoder::new(COMPRESSED).read_to_string(&mut all);
    let mut parts = all.split('\0');
    parts.find(|name| *name == file).and_then(|_| parts.next()).unwrap_or_default().to_owned()
}

/// Says whether a file is behind what was made just now, or with DEVINIT_TEST_RENEW writes it anew.
#[cfg(test)]
pub(crate) fn hold(file: &str, made: &str) {
    if std::env::var_os("DEVINIT_TEST_RENEW").is_some() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        std::fs::write(path, made).unwrap();
    } else {
        assert!(made == text(file), "{file} is behind: DEVINIT_TEST_RENEW=1 cargo test --lib the_files_say");
    }
}
