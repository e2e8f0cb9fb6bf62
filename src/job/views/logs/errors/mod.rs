//! Which lines look like errors: those of compilers, build tools, package managers, interpreters, the kernel and CUDA, without
//! what only speaks of errors (`0 errors`, `-Werror`, `error_handler.o`, `test error_is_told ... ok`).
//!
//! A line is looked at word by word. Some words mean an error by how they are written and by their neighbours
//! ([`error`], [`failed`]), some texts always do ([`phrases`]), and some lines never are (a compiler's checks, passed tests).

mod phrases;
#[cfg(test)]
mod tests;
mod words;

use words::{Words, is_value_of_nothing};

/// So much of a line is looked at, in bytes: what is longer is a command, and its errors have lines of their own.
const LOOKED_AT: usize = 4000;
/// No traceback is longer, in lines.
const LONGEST_TRACEBACK: u32 = 500;
const TRACEBACK: &str = "Traceback (most recent call last)";

/// Looks for errors, line by line, and remembers which traceback is under way.
#[derive(Default)]
pub struct Errors {
    /// Of both streams.
    tracebacks: [Option<Traceback>; 2],
}

struct Traceback {
    /// What stands in front of each of its lines: spaces, or `[rank0]: `.
    prefix: String,
    lines: u32,
}

impl Errors {
    /// Whether a line of standard error, or of standard output, looks like an error or is part of a Python traceback. It is
    /// without escape sequences.
    pub fn is_error(&mut self, stderr: bool, line: &str) -> bool {
        let line = line.get(..line.floor_char_boundary(LOOKED_AT)).unwrap_or(line);
        let [out, err] = &mut self.tracebacks;
        let traceback = if stderr { err } else { out };
        if let Some(current) = traceback {
            let rest = line.strip_prefix(current.prefix.as_str());
            current.lines += 1;
            let goes_on = rest.is_some_and(|rest| rest.starts_with([' ', '\t'])) && current.lines < LONGEST_TRACEBACK;
            let is_last = !goes_on && rest.is_some_and(|rest| !rest.trim().is_empty());
            if !goes_on {
                *traceback = None;
            }
            // The last line is `SomeError: text`, whatever the exception is called; or another traceback begins.
            if goes_on || is_last && !line.contains(TRACEBACK) {
                return true;
            }
        }
        if let Some((prefix, _)) = line.split_once(TRACEBACK) {
            *traceback = Some(Traceback { prefix: prefix.to_owned(), lines: 0 });
            return true;
        }
        looks_like_error(line)
    }
}

/// Whether a line by itself looks like an error.
fn looks_like_error(line: &str) -> bool {
    let line = line.trim_end();
    if line.starts_with("E   ") || line.starts_with("E: ") || line.starts_with("Err:") {
        return true;
    }
    let words = Words::of(line);
    if is_harmless(line, &words) {
        return false;
    }
    let mut quiet = false;
    for at in 0..words.count() {
        let word = words.bare(at);
        match told_level(word) {
            Some(Level::Warning) => return false,
            Some(Level::Info) => quiet = true,
            None => {}
        }
        if is_error(&words, at, word, quiet) {
            return true;
        }
    }
    false
}

/// Whether a line is of a kind that is none, whatever it says.
fn is_harmless(line: &str, words: &Words<'_>) -> bool {
    let begins = ["-- ", "checking ", "ok ", "+ ", "++ ", "✓ ", "✔ ", "PASS", "#define ", "#include "];
    let trimmed = line.trim_start();
    begins.iter().any(|begin| trimmed.starts_with(begin)) && !trimmed.starts_with("-- Configuring incomplete")
        || line.ends_with("(ignored)")
        || line.ends_with("... ok")
        || line.ends_with("... OK")
        || line.ends_with("... no")
        || (0..words.count()).any(|at| words.word(at) == "PASSED")
}

enum Level {
    Warning,
    Info,
}

/// The level of a message that this word tells: of what comes behind it, only the loudest words count.
fn told_level(word: &str) -> Option<Level> {
    let (name, after) = words::head(word);
    let mark = after.is_empty() || after.starts_with([']', ':', ')']);
    match name {
        "warning" | "Warning" | "note" | "help" | "remark" if after.starts_with(':') => Some(Level::Warning),
        "WARNING" | "WARN" if mark => Some(Level::Warning),
        "INFO" | "DEBUG" | "TRACE" | "NOTICE" if mark => Some(Level::Info),
        _ => None,
    }
}

/// Whether the word at this place means an error. `quiet`: the message says of itself that it is none.
fn is_error(words: &Words<'_>, at: usize, word: &str, quiet: bool) -> bool {
    let raw = words.word(at);
    if raw.contains("://") || raw.starts_with('-') && raw.len() > 3 {
        return false;
    }
    let (name, after) = words::head(word);
    match name {
        "ERROR" | "ERRORS" | "FAILED" | "FAIL" | "FAILURE" | "FAILURES" | "FATAL" | "CRITICAL" => {
            return is_loud(words, at, after);
        }
        _ if quiet => return false,
        "Killed" | "Terminated" | "Aborted" if after.is_empty() => {
            let before = words.word(at.wrapping_sub(1));
            // As a shell tells it: `line 1: 4711 Killed   cmd`, `[1]+  Killed  cmd`.
            let told = before.ends_with(['+', '-', ':']) || words::number(before).is_some_and(|number| number > 9);
            if words.count() == 1 || told {
                return true;
            }
        }
        _ => {}
    }
    if name.eq_ignore_ascii_case("error") || name.eq_ignore_ascii_case("errors") {
        return error(words, at, name, after) || phrases::begins(words.from(at));
    }
    if name.eq_ignore_ascii_case("failed")
        || name.len() > 6 && name.get(..7).is_some_and(|n| n.eq_ignore_ascii_case("failure"))
    {
        return failed(words, at, name, after);
    }
    if name.eq_ignore_ascii_case("fatal") && (after.starts_with(':') || words.word(at + 1) == ":") {
        return true;
    }
    if let Some((_, result)) = raw.rsplit_once("***") {
        // CTest, make.
        let made = result.is_empty() && at == 1 && words.word(0).contains("make");
        return made || matches!(result, "Failed" | "Exception:" | "Timeout");
    }
    is_exception(words, at, word) || is_linker(words, at, raw) || is_level(raw) || phrases::is_at(words, at)
}

/// Words that are written like this to be seen.
fn is_loud(words: &Words<'_>, at: usize, after: &str) -> bool {
    let ends =
        after.is_empty() || after.starts_with(['[', ']', ')', ':', '!', ',', ';', '|']) && !after.starts_with("::");
    ends && !words.counts_nothing(at) && !is_value_of_nothing(words, at, after) && !words.is_quoted(at)
}

/// Whether `error` or `errors` is one here.
fn error(words: &Words<'_>, at: usize, name: &str, after: &str) -> bool {
    /// What stands before an error that happened; and behind one.
    const BEFORE: &str = " fatal syntax compiler compilation compile build linker link bus i/o input/output runtime parse \
                          import unrecoverable unexpected unknown following previous returned returns cuda cublas nccl network \
                          connection protocol ssl tls certificate permission system driver internal encountered got \
                          assertion decoding encoding client server docker git ";
    const BEHIND: &str = " occurred while when during loading reading opening writing creating building compiling running \
                          executing installing fetching downloading connecting parsing processing from response trying \
                          generated returned raised near encountered detected found exit ";
    let Some(first) = after.chars().next() else {
        if words.counts_nothing(at) || words.is_talked_about(at) {
            return false;
        }
        let (before, behind) = (words.lower(at.wrapping_sub(1)), words.lower(at + 1));
        let listed = |list: &str, word: &str| !word.is_empty() && list.contains(&format!(" {word} "));
        let counted = words::number(&before).is_some();
        // `Error 2` of make, `Error at a.txt:3` of CMake, `: error C2065:` of MSVC.
        let coded = name == "Error" && (behind == "at" || words::number(&behind).is_some_and(|code| code > 0))
            || words.word(at.wrapping_sub(1)).ends_with(':') && words.word(at + 1).ends_with(':');
        let code = behind.starts_with("code") && words::number(&words.lower(at + 2)) != Some(0);
        let next = words.word(at + 1);
        let begins = at == 0 && next.starts_with(|c: char| c.is_ascii_uppercase())
            || name == "Error" && (at == 0 || words.word(at - 1).ends_with(':'));
        let subject =
            " handling message messages rate rates log logs codes correction reporting recovery checking bound ";
        let begins = begins && !listed(subject, &behind);
        return counted || coded || code || begins || listed(BEFORE, &before) || listed(BEHIND, &behind);
    };
    let counted = || words::number(&words.lower(at.wrapping_sub(1))).is_some_and(|count| count > 0);
    match first {
        ':' => {
            !after.starts_with("::")
                && !words.counts_nothing(at)
                && !words.is_talked_about(at)
                && !is_value_of_nothing(words, at, after)
        }
        '[' => after.starts_with("[E"),
        '(' => after.starts_with("(s)") && counted(),
        ',' | '.' | '!' | ';' | ')' | ']' if after.len() == 1 => {
            let before = words.lower(at.wrapping_sub(1));
            counted() || !before.is_empty() && BEFORE.contains(&format!(" {before} ")) && !words.counts_nothing(at)
        }
        _ => false,
    }
}

/// Whether `failed`, `failure` or `failures` is one here.
fn failed(words: &Words<'_>, at: usize, name: &str, after: &str) -> bool {
    const BEHIND: &str = " to with because due at in on during while after as unexpectedly ";
    if words.counts_nothing(at) || words.is_talked_about(at) || is_value_of_nothing(words, at, after) {
        return false;
    }
    // `1 failed`, `1 tests failed`.
    if (1..3).any(|back| at >= back && words::number(&words.lower(at - back)).is_some_and(|count| count > 0)) {
        return true;
    }
    let value = || words::number(&words.lower(at + 1)).is_some();
    if !name.eq_ignore_ascii_case("failed") {
        return after == ":" && value();
    }
    let ends = matches!(after, "" | "." | "!" | ";") && at + 1 == words.count() && at > 0;
    let behind = words.lower(at + 1);
    ends || after.starts_with(':') && !after.starts_with("::")
        || after.is_empty() && !behind.is_empty() && (BEHIND.contains(&format!(" {behind} ")) || at == 0)
}

/// `ValueError: text`, `java.io.IOException: text`, or such a name alone on a line.
fn is_exception(words: &Words<'_>, at: usize, word: &str) -> bool {
    let name = word.trim_end_matches(':');
    if !name.ends_with("Error") && !name.ends_with("Exception") {
        return false;
    }
    let own = name.rsplit('.').next().unwrap_or(name);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.$".contains(&byte);
    let named = own.starts_with(|c: char| c.is_ascii_uppercase()) && own.len() > 5 && own != "Exception";
    let told = word.ends_with(':') && words.word(at + 1) != "0" && words.word(at.wrapping_sub(1)) != "except";
    named && name.bytes().all(fits) && (told || words.count() == 1)
}

/// `/usr/bin/ld: cannot find -lz`.
fn is_linker(words: &Words<'_>, at: usize, word: &str) -> bool {
    let program = word.rsplit('/').next().unwrap_or(word);
    at == 0
        && words.count() > 1
        && matches!(program, "ld:" | "ld.lld:" | "ld.gold:" | "ld.bfd:" | "lld:")
        && words.word(1) != "warning:"
        && !words.from(1).contains("warning:")
}

/// The level in logs of keys and values.
fn is_level(word: &str) -> bool {
    let word = word.trim_start_matches(['{', ',']).split([',', '}']).next().unwrap_or(word);
    let value =
        ["level=", "lvl=", "severity=", "\"level\":", "\"severity\":"].iter().find_map(|key| word.strip_prefix(key));
    value.is_some_and(|value| {
        ["error", "fatal", "critical", "panic"].iter().any(|bad| value.trim_matches('"').eq_ignore_ascii_case(bad))
    })
}
