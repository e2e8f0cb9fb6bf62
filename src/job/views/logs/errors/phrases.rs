//! Texts that tell of an error wherever a word begins.

use super::words::{Words, number};

/// In lower case, by their first letters. A phrase ends where a word does, or with a sign.
const PHRASES: [(u8, &[&str]); 21] = [
    (b'a', &["assertion failed", "assertion `", "addresssanitizer:", "aborted (core"]),
    (b'b', &["build stopped:"]),
    (
        b'c',
        &[
            "cannot find",
            "cannot open",
            "cannot allocate",
            "cannot execute",
            "cannot access",
            "cannot import",
            "cannot stat",
            "cannot create",
            "cannot read",
            "cannot write",
            "cannot remove",
            "cannot load",
            "can't open",
            "can't find",
            "could not",
            "couldn't",
            "command not found",
            "core dumped",
            "connection refused",
            "connection reset",
            "connection timed out",
            "caused by:",
            "collect2:",
            "configuring incomplete",
            "cuda_error_",
            "cudaerror",
        ],
    ),
    (
        b'd',
        &["double free", "disk quota exceeded", "during handling of the above exception", "device or resource busy"],
    ),
    (b'e', &["exception in thread", "error response", "exec format error"]),
    (b'f', &["file not found", "file exists"]),
    (b'g', &["general protection fault"]),
    (b'i', &["illegal instruction", "i/o error", "input/output error", "invalid option", "is not recognized as"]),
    (b'k', &["killed process", "killed signal", "killed by"]),
    (b'l', &["ld returned", "linker command failed"]),
    (b'm', &["multiple definition of", "missing separator"]),
    (
        b'n',
        &[
            "no such file or directory",
            "no space left on device",
            "no rule to make target",
            "no module named",
            "no matching distribution",
            "no such option",
            "npm err!",
            "npm error",
            "nvrm: xid",
        ],
    ),
    (b'o', &["out of memory", "out-of-memory", "oom-kill", "oom killer", "oom_kill", "operation not permitted"]),
    (b'p', &["permission denied", "panic:", "panicked at"]),
    (b'q', &["quota exceeded"]),
    (b'r', &["read-only file system", "recipe for target", "relocation truncated", "returned non-zero exit"]),
    (
        b's',
        &[
            "segmentation fault",
            "segfault at",
            "stack smashing",
            "stack overflow",
            "syntax error",
            "sigsegv",
            "sigabrt",
            "sigkill",
            "sigbus",
            "sigill",
        ],
    ),
    (
        b't',
        &[
            "terminate called",
            "timed out",
            "too many open files",
            "treated as errors",
            "terminated by signal",
            "the above exception was the direct cause",
        ],
    ),
    (
        b'u',
        &[
            "undefined reference",
            "undefined symbol",
            "unable to",
            "unresolved external",
            "unexpected end of file",
            "unrecognized option",
            "unrecognized command",
            "unrecognized argument",
            "unhandled exception",
            "uncaught exception",
            "unbound variable",
            "unknown option",
        ],
    ),
    (b'w', &["what():"]),
    (b'x', &["xid ("]),
];

/// Whether a text begins with a phrase.
pub fn begins(text: &str) -> bool {
    let Some(first) = text.as_bytes().first().map(u8::to_ascii_lowercase) else { return false };
    let Ok(place) = PHRASES.binary_search_by_key(&first, |(letter, _)| *letter) else { return false };
    let phrases = PHRASES.get(place).map(|(_, phrases)| *phrases).unwrap_or_default();
    phrases.iter().any(|phrase| {
        let (same, after) = (text.get(..phrase.len()), text.as_bytes().get(phrase.len()));
        let open = phrase.ends_with(['_', '`', ':', '!', '(']) || *phrase == "cudaerror";
        let ends = open || !after.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        ends && same.is_some_and(|same| same.eq_ignore_ascii_case(phrase))
    })
}

/// Whether a phrase begins at this word.
pub fn is_at(words: &Words<'_>, at: usize) -> bool {
    let text = words.from(at);
    // CMake tells of optional parts with a word of its own; and code is quoted.
    if begins(text) {
        return !text.starts_with("Could NOT") && !text.starts_with("cudaErrors");
    }
    let before = words.word(at.wrapping_sub(1));
    match words.bare(at) {
        // `sh: 1: cmake: not found`.
        "not" => match words.word(at + 1) {
            "found" => before.ends_with(':') && at + 2 == words.count() && at > 1,
            // The Test Anything Protocol.
            "ok" => at == 0,
            _ => false,
        },
        // `exit status 2`, `exit code: 2`, `exited with code 2`.
        "exit" | "exited" => {
            let last = (at + 2..at + 4).map(|at| words.lower(at)).find_map(|word| number(&word));
            matches!(&*words.lower(at + 1), "status" | "code" | "with") && last.is_some_and(|code| code > 0)
        }
        "goroutine" => words.word(at + 2).starts_with("[running]"),
        word => is_status(word),
    }
}

/// What CUDA's libraries return: `CUDNN_STATUS_ALLOC_FAILED`, and not `…_SUCCESS`.
fn is_status(word: &str) -> bool {
    (word.starts_with("CUDNN_STATUS_") || word.starts_with("CUBLAS_STATUS_")) && !word.contains("_SUCCESS")
}
