//! Where the output of a process goes.

use std::path::Path;

use crate::config::model::{self, LogFormat, LogSettings, LogTo};
use crate::config::texts::bytes;
use crate::engine::spec::{Form, Log, LogFile};
use crate::paths;

/// To the container's output, as it is.
pub(super) const RAW: Log = Log { output: Some(Form::Raw), file: None };
/// How large a file may get, in bytes.
const SIZE: u64 = 10 << 20;
/// How many older files are kept.
const KEEP: u32 = 5;

/// The file of a process that has nothing said about it.
pub(super) fn usual_file(name: &str) -> LogFile {
    LogFile { path: Path::new(paths::LOGS).join(format!("{name}.log")), size: SIZE, keep: KEEP, json: false }
}

/// The check has seen to it that sizes can be read.
pub(super) fn log(name: &str, wanted: &model::Log) -> Log {
    let plain;
    let LogSettings { to, format, path, size, keep } = match wanted {
        model::Log::Set(set) => set,
        model::Log::To(to) => {
            plain = LogSettings { to: *to, ..LogSettings::default() };
            &plain
        }
    };
    let json = *format == LogFormat::Json;
    let form = |form| Some(if json { Form::Json } else { form });
    let output = match to {
        LogTo::Inherit => form(Form::Raw),
        LogTo::Prefix | LogTo::Both => form(Form::Prefixed),
        LogTo::File => None,
    };
    let usual = usual_file(name);
    let file = matches!(to, LogTo::File | LogTo::Both).then(|| LogFile {
        path: path.clone().unwrap_or(usual.path),
        size: size.as_deref().and_then(bytes).unwrap_or(SIZE),
        keep: keep.unwrap_or(KEEP),
        json,
    });
    Log { output, file }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(to: LogTo, format: LogFormat) -> (Option<Form>, Option<bool>) {
        let log = log("x", &model::Log::Set(LogSettings { to, format, ..LogSettings::default() }));
        if format == LogFormat::Text {
            assert_eq!(super::log("x", &model::Log::To(to)), log, "{to:?}");
        }
        (log.output, log.file.map(|file| file.json))
    }

    #[test]
    fn output_goes_where_it_is_wanted_in_the_form_that_is_wanted() {
        let (text, json) = (LogFormat::Text, LogFormat::Json);
        assert_eq!(of(LogTo::Inherit, text), (Some(Form::Raw), None));
        assert_eq!(of(LogTo::Prefix, text), (Some(Form::Prefixed), None));
        assert_eq!(of(LogTo::File, text), (None, Some(false)));
        assert_eq!(of(LogTo::Both, text), (Some(Form::Prefixed), Some(false)));
        assert_eq!(of(LogTo::Inherit, json), (Some(Form::Json), None));
        assert_eq!(of(LogTo::Prefix, json), (Some(Form::Json), None));
        assert_eq!(of(LogTo::File, json), (None, Some(true)));
        assert_eq!(of(LogTo::Both, json), (Some(Form::Json), Some(true)));
    }

    #[test]
    fn a_file_has_the_name_of_its_service_and_a_bound_unless_it_is_told_otherwise() {
        let file = |set| log("xvfb", &model::Log::Set(LogSettings { to: LogTo::File, ..set })).file.unwrap();
        let usual = file(LogSettings::default());
        assert_eq!(usual.path, Path::new("/var/log/devinit/xvfb.log"));
        assert_eq!((usual.size, usual.keep), (10 << 20, 5));
        let path = Some("/l/x".into());
        let own = file(LogSettings { path, size: Some("64KiB".to_owned()), keep: Some(0), ..LogSettings::default() });
        assert_eq!((own.path.to_str().unwrap(), own.size, own.keep), ("/l/x", 64 << 10, 0));
    }
}
