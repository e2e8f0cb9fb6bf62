//! Names of jobs and of their files.

use std::fmt;

/// The longest name, in bytes: with a timestamp and an ending it still is a file's name everywhere.
const LONGEST: usize = 100;
/// What follows the name in a log's name: `-20260131-235959.jsonl`, with `-2` and so on if that one is there.
const LOG: &str = ".jsonl";
const STATUS: &str = ".status";

/// A job's name: something that can stand in a file's name, a shell and a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Takes a name.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+@".contains(&byte);
        let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
        if text.len() <= LONGEST && begins && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{}` is no name for a job: up to {LONGEST} letters, digits, `-`, `_`, `.`, `+` and `@`, and a letter, a \
             digit or `_` first",
            crate::words::clean(text, 40)
        ))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its status file.
    #[must_use]
    pub fn status_file(&self) -> String {
        format!("{}{STATUS}", self.0)
    }

    /// The name of the file that asks it to end.
    #[must_use]
    pub fn stop_file(&self) -> String {
        format!("{}.stop", self.0)
    }

    /// The name of the log of the run with this id.
    #[must_use]
    pub fn log_file(&self, id: &str) -> String {
        format!("{}-{id}{LOG}", self.0)
    }

    /// The job whose status file has this name.
    #[must_use]
    pub fn of_status(file: &str) -> Option<Self> {
        Self::parse(file.strip_suffix(STATUS)?).ok()
    }

    /// The job and the run whose log has this name.
    #[must_use]
    pub fn of_log(file: &str) -> Option<(Self, &str)> {
        let stem = file.strip_suffix(LOG)?;
        // The last two or three parts are the id, which only has digits.
        let digits = |text: &str, least: usize| text.len() >= least && text.bytes().all(|byte| byte.is_ascii_digit());
        let split = |text: &str| Some(text.rsplit_once('-')?.0.len());
        let time = split(stem)?;
        let date = split(stem.get(..time)?)?;
        let is_id = |from: usize, to: usize| {
            let (day, second) = stem.get(from + 1..to)?.split_once('-')?;
            (day.len() == 8 && second.len() == 6 && digits(day, 8) && digits(second, 6)).then_some(())
        };
        let name = if is_id(date, stem.len()).is_some() {
            date
        } else {
            let before = split(stem.get(..date)?)?;
            is_id(before, time).filter(|()| digits(stem.get(time + 1..).unwrap_or_default(), 1))?;
            before
        };
        Some((Self::parse(stem.get(..name)?).ok()?, stem.get(name + 1..)?))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_stand_in_a_file_name_and_in_a_shell() {
        for good in ["a", "zephyr-build", "v1.2+x", "_x", "a@b", &"a".repeat(100)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".a", "-a", "a/b", "a b", "ä", "a\n", "a\0", &"a".repeat(101)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_log_tells_the_job_and_the_run() {
        let found = |file: &str| Name::of_log(file).map(|(name, id)| format!("{name} {id}"));
        let build = Name::parse("zephyr-build").unwrap();
        for id in ["20260131-235959", "20260131-235959-2", "20260131-235959-17"] {
            let file = build.log_file(id);
            assert_eq!(found(&file), Some(format!("zephyr-build {id}")));
        }
        // A name that looks like a run of another one.
        assert_eq!(
            found("a-20260131-235959-20260201-000000.jsonl"),
            Some("a-20260131-235959 20260201-000000".to_owned())
        );
        for strange in
            ["a.jsonl", "a-1-2.jsonl", "-20260131-235959.jsonl", "a-20260131-235959.json", "20260131-235959.jsonl"]
        {
            assert_eq!(found(strange), None, "{strange}");
        }
        assert_eq!(Name::of_status("a.status"), Name::parse("a").ok());
        assert_eq!(Name::of_status("a.stat"), None);
    }
}
