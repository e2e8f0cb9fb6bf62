//! `file://`: a folder that is laid out like the web.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NONBLOCK;

use super::super::{Failure, failure};
use super::download::{Meter, Progress};
use super::partial::Partial;
use super::url;

/// The text in a file, of at most `limit` bytes.
pub(super) fn text(path: &Path, limit: usize) -> Result<String, Failure> {
    let mut text = Vec::new();
    let (file, _) = open(path)?;
    file.take(limit as u64 + 1).read_to_end(&mut text).map_err(unreadable(path))?;
    if text.len() > limit {
        return Err(Failure::permanent(format!("{} is longer than {limit} bytes", path.display())));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What stands in the file `PATH.location`, made absolute; the URL itself if there is only `PATH`.
pub(super) fn redirect(given: &str, path: &Path) -> Result<String, Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".location");
    match text(Path::new(&name), 8 << 10) {
        Ok(location) => Ok(url::join(given, location.lines().next().unwrap_or_default())),
        Err(_) if path.exists() && !Path::new(&name).exists() => Ok(given.to_owned()),
        Err(failure) => Err(failure),
    }
}

/// Copies a file.
pub(super) fn copy(path: &Path, to: &Path, progress: Progress<'_>) -> Result<(), Failure> {
    let (mut file, total) = open(path)?;
    let mut partial = Partial::open(to, "")?;
    partial.start_over(None, Some(total))?;
    let mut meter = Meter::new(progress, Some(total));
    let mut buffer = vec![0; super::download::BUFFER];
    loop {
        meter.show(partial.length())?;
        let length = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(unreadable(path))?,
        };
        if length == 0 {
            meter.end(partial.length())?;
            return partial.finish();
        }
        partial.write(buffer.get(..length).unwrap_or_default(), Some(total))?;
    }
}

/// Opens a file, and says how many bytes it has.
fn open(path: &Path) -> Result<(File, u64), Failure> {
    let file = File::options().read(true).custom_flags(O_NONBLOCK).open(path).map_err(unreadable(path))?;
    let about = file.metadata().map_err(unreadable(path))?;
    if !about.is_file() {
        return Err(Failure::permanent(format!("{} is not a file", path.display())));
    }
    Ok((file, about.len()))
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| match error.kind() {
        io::ErrorKind::NotFound => Failure::permanent(format!("there is no file {}", path.display())),
        _ => failure::io(format!("cannot read {}", path.display()))(error),
    }
}
