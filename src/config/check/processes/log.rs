//! Where the output of processes goes.

use std::path::{Path, PathBuf};

use super::super::super::model::{Log, LogSettings, LogTo, Process};
use super::super::super::texts::bytes;
use super::super::{Check, Place};
use crate::paths;

/// The smallest file that is worth rotating, in bytes.
const SMALLEST: u64 = 4 << 10;
/// The most files that are kept.
const MOST: u32 = 1000;

impl Check<'_> {
    pub(super) fn log(&mut self, log: &Log, place: &Place) {
        let Log::Set(LogSettings { to, path, size, keep, .. }) = log else { return };
        if matches!(to, LogTo::Inherit | LogTo::Prefix) {
            for (key, given) in [("path", path.is_some()), ("size", size.is_some()), ("keep", keep.is_some())] {
                if given && self.whole {
                    self.error(&place.key(key), "there is no file that this could be about")
                        .hint("write `to: file` or `to: both`");
                }
            }
        }
        self.absolute_if_any(path.as_ref(), &place.key("path"));
        if path.as_ref().is_some_and(|path| path.to_string_lossy().ends_with('/')) {
            self.error(&place.key("path"), "expected a file, found a folder");
        }
        if let Some(size) = size {
            match bytes(size) {
                Some(SMALLEST..) => {}
                Some(_) => _ = self.error(&place.key("size"), "a file has at least `4KiB`"),
                None => _ = self.error(&place.key("size"), "expected bytes with their unit, as in `10MiB`"),
            }
        }
        if keep.is_some_and(|keep| keep > MOST) {
            self.error(&place.key("keep"), "at most 1000 older files are kept");
        }
    }

    /// That no two processes write to the same file, nor one to what the other's becomes when it is rotated.
    pub(super) fn log_files(&mut self) {
        let config = self.config;
        let services = Place::of(&["services"]);
        let of = |name: &str, process: Process<'_>, place: Place| {
            file(process.log, name).map(|path| (name.to_owned(), path, place.key("log").key("path")))
        };
        let app = config.app.iter().filter_map(|app| of("app", app.process(), Place::of(&["app"])));
        let files =
            config.services.iter().filter_map(|(name, service)| of(name, service.process(), services.key(name)));
        let sshd = ("sshd".to_owned(), Path::new(paths::LOGS).join("sshd.log"), Place::default());
        let files: Vec<_> = std::iter::once(sshd).chain(app).chain(files).collect();
        for (index, (_, path, place)) in files.iter().enumerate() {
            let other = files.iter().take(index).find(|(_, other, _)| collide(path, other));
            if let Some((name, ..)) = other {
                self.error(place, format!("`{name}` has this file already")).hint("give each a `path` of its own");
            }
        }
    }
}

/// The file that a log goes to, if it goes to one.
fn file(log: &Log, name: &str) -> Option<PathBuf> {
    let (to, path) = match log {
        Log::To(to) => (to, None),
        Log::Set(set) => (&set.to, set.path.clone()),
    };
    let usual = || Path::new(paths::LOGS).join(format!("{name}.log"));
    matches!(to, LogTo::File | LogTo::Both).then(|| path.unwrap_or_else(usual))
}

fn collide(one: &Path, other: &Path) -> bool {
    // What is rotated has `.1`, `.2` … added.
    let rotated = |path: &Path| {
        let number = path.extension()?.to_str()?.bytes().all(|byte| byte.is_ascii_digit());
        number.then(|| path.with_extension(""))
    };
    one == other || rotated(one).is_some_and(|path| path == other) || rotated(other).is_some_and(|path| path == one)
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{bad, good};

    #[test]
    fn a_file_of_a_log_has_a_size_and_a_number() {
        for to in ["inherit", "prefix", "file", "both", "{format: json}", "{to: file, size: 4KiB, keep: 0}"] {
            good(&format!("app: {{log: {to}}}"));
        }
        good("app: {log: {to: both, format: json, path: /logs/app.jsonl, size: 1048576, keep: 1000}}");
        bad("app: {log: {to: file, size: 4095}}", "1:29 `app.log.size`: a file has at least `4KiB`");
        bad("app: {log: {to: file, size: much}}", "1:29 `app.log.size`: expected bytes with their unit");
        bad("app: {log: {to: file, keep: 1001}}", "1:29 `app.log.keep`: at most 1000");
        bad("app: {log: {to: file, path: /logs/}}", "1:29 `app.log.path`: expected a file, found a folder");
        bad("app: {log: nowhere}", "1:12 `app.log`: expected `inherit`, `prefix`, `file`, `both`");
    }

    #[test]
    fn what_goes_to_no_file_has_none() {
        for key in ["path: /x", "size: 1MiB", "keep: 1"] {
            let name = key.split(':').next().unwrap();
            bad(&format!("app: {{log: {{{key}}}}}"), &format!("1:19 `app.log.{name}`: there is no file"));
        }
        bad("app: {log: {to: prefix, keep: 1}}", "1:31 `app.log.keep`: there is no file");
        bad("app: {log: {to: fiel, keep: 1}}", "1:17 `app.log.to`: expected one of");
    }

    #[test]
    fn each_log_has_a_file_of_its_own() {
        let two = |a: &str, b: &str| {
            format!(
                "services:\n  a: {{command: x, log: {{to: file, {a}}}}}\n  b: {{command: x, log: {{to: file, {b}}}}}"
            )
        };
        good(&two("keep: 1", "keep: 1"));
        good(&two("path: /l/x", "path: /l/y"));
        bad(&two("path: /l/x", "path: /l//x"), "3:41 `services.b.log.path`: `a` has this file already");
        bad(&two("path: /l/x", "path: /l/x.1"), "3:41 `services.b.log.path`: `a` has this file already");
        bad(&two("path: /var/log/devinit/b.log", "keep: 1"), "3:19 `services.b.log.path`: `a` has this file already");
        bad(&two("path: /var/log/devinit/sshd.log", "keep: 1"), "2:41 `services.a.log.path`: `sshd` has this file");
        bad("app: {log: file}\nservices: {a: {command: x, log: {to: file, path: /var/log/devinit/app.log}}}", "2:50 ");
    }
}
