//! What is wrong with a config, where, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use super::node::Mark;

/// How much a [`Problem`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The config can be used, but probably not as meant.
    Warning,
    /// The config cannot be used.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that is wrong with a config. It never holds the value of a password, a key or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// The file it is in; none if it is in no file, as with a variable.
    pub file: Option<PathBuf>,
    /// Line, from 1; 0 if it concerns the file as a whole.
    pub line: u64,
    /// Column in characters, from 1; 0 if it concerns the file as a whole.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    /// All of it on one line, for a place that says by itself how much it matters.
    #[must_use]
    pub fn one_line(&self) -> String {
        let hint = self.hint.iter().map(|hint| format!("; hint: {}", one_line(hint)));
        format!("{}{}{}", self.place(), one_line(&self.message), hint.collect::<String>())
    }

    fn place(&self) -> String {
        match &self.file {
            Some(file) if self.line > 0 => {
                format!("{}:{}:{}: ", one_line(&file.to_string_lossy()), self.line, self.column)
            }
            Some(file) => format!("{}: ", one_line(&file.to_string_lossy())),
            None => String::new(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.place(), self.severity, one_line(&self.message))?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {}", one_line(hint)),
            None => Ok(()),
        }
    }
}

/// Escapes what could break the line or talk to the terminal: names in messages come from the file.
fn one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, character| {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
        line
    })
}

/// A problem before the files have their names.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) mark: Mark,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Finding {
    pub(super) fn error(mark: Mark, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, mark, message: message.into(), hint: None }
    }

    pub(super) fn warning(mark: Mark, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, mark, message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `files` are the names that [`Mark::file`] counts.
    pub(super) fn into_problem(self, files: &[PathBuf]) -> Problem {
        Problem {
            severity: self.severity,
            file: files.get(self.mark.file).cloned(),
            line: self.mark.line,
            column: self.mark.column,
            message: self.message,
            hint: self.hint,
        }
    }
}

/// The one of `known` that `word` was probably meant to be.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let distance = |name: &str| strsim::damerau_levenshtein(&word, &name.replace('-', "_"));
    let (name, distance) = known.iter().map(|name| (*name, distance(name))).min_by_key(|(_, distance)| *distance)?;
    // A third of the letters may be wrong: `paswrd` is `password`, `cmd` could be anything.
    (distance <= (name.len() / 3).min(3)).then_some(name)
}

/// `` `a`, `b`, `c` ``
pub(super) fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Problem {
        Problem {
            severity: Severity::Error,
            file: Some(PathBuf::from("/etc/devinit/config.yaml")),
            line: 12,
            column: 5,
            message: "unknown key `usr`".to_owned(),
            hint: Some("did you mean `user`?".to_owned()),
        }
    }

    #[test]
    fn a_problem_is_written_as_compilers_do() {
        assert_eq!(
            problem().to_string(),
            "/etc/devinit/config.yaml:12:5: error: unknown key `usr`\n  hint: did you mean `user`?"
        );
        assert_eq!(
            Problem { line: 0, hint: None, severity: Severity::Warning, ..problem() }.to_string(),
            "/etc/devinit/config.yaml: warning: unknown key `usr`"
        );
        assert_eq!(Problem { file: None, hint: None, ..problem() }.to_string(), "error: unknown key `usr`");
    }

    #[test]
    fn names_from_a_file_cannot_break_the_line_or_reach_the_terminal() {
        let shown = Problem { message: "unknown key `\u{1b}[2J\n`".to_owned(), hint: None, ..problem() }.to_string();
        assert!(shown.ends_with("unknown key `\\u{1b}[2J\\n`"), "{shown}");
    }

    #[test]
    fn the_nearest_name_survives_typing_slips_but_is_not_invented() {
        assert_eq!(nearest("authorized_key", &["groups", "authorized_keys"]), Some("authorized_keys"));
        assert_eq!(nearest("Permit-Root-Login", &["port", "permit_root_login"]), Some("permit_root_login"));
        assert_eq!(nearest("on_failure", &["never", "on-failure"]), Some("on-failure"));
        assert_eq!(nearest("usr", &["user", "after"]), Some("user"));
        assert_eq!(nearest("colour", &["user", "after"]), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
