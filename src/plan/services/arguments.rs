//! Arguments that follow a command.
//!
//! A list takes them at its end. A text for the shell gets them as its positional parameters: quoting them into the text
//! would be a parser's work, and `"$@"` is what shells have for it. A text that uses these itself (`for f in "$@"`, `$1`)
//! says where they go. Behind any other text `"$@"` is added, if it is sure to belong to its last command there.

use crate::config::model::Command;

/// What stands for the shell in `ps`, and in its messages, is the entrypoint's name: `$0`.
pub(super) fn with_arguments(command: &Command, name: &str, arguments: &[String]) -> Result<Vec<String>, String> {
    let mut words = match command {
        Command::Argv(words) => words.clone(),
        Command::Shell(text) => {
            let text = if arguments.is_empty() { text.clone() } else { taking_arguments(text)? };
            vec!["/bin/sh".to_owned(), "-c".to_owned(), text, name.to_owned()]
        }
    };
    words.extend_from_slice(arguments);
    Ok(words)
}

/// A text that uses its positional parameters.
fn taking_arguments(text: &str) -> Result<String, String> {
    match uses(text) {
        Uses::Its => Ok(text.to_owned()),
        Uses::None => Ok(format!("{} \"$@\"", text.trim_end())),
        Uses::Unclear(what) => {
            Err(format!("it takes no arguments, for its text {what}: write \"$@\" there to say where they go"))
        }
    }
}

#[derive(Debug, PartialEq)]
enum Uses {
    /// It says itself where the arguments go.
    Its,
    /// It does not use them, and what is written behind it belongs to its last command.
    None,
    /// It does not use them, and what is written behind it might be lost, or be run as a command.
    Unclear(&'static str),
}

/// Reads a text as the shell does, as far as quotes and comments go.
fn uses(text: &str) -> Uses {
    let mut characters = text.trim_end().chars().peekable();
    // Of the characters outside quotes; a blank at the start, where a word may begin.
    let mut before = ' ';
    let mut doubly_quoted = false;
    let mut unclear = None;
    while let Some(character) = characters.next() {
        match character {
            // What the trimming has taken may have been what it escapes.
            '\\' => unclear = unclear.or(characters.next().is_none().then_some("ends with a backslash")),
            '\'' if !doubly_quoted => {
                let open = !characters.any(|character| character == '\'');
                unclear = unclear.or(open.then_some("has a quote that is not closed"));
            }
            '"' => doubly_quoted = !doubly_quoted,
            '$' => {
                if characters.peek() == Some(&'{') {
                    characters.next();
                    // ${#1} and ${#@} are lengths.
                    if characters.next_if_eq(&'#').is_some() && characters.peek() == Some(&'}') {
                        return Uses::Its;
                    }
                }
                match characters.peek() {
                    Some('@' | '*' | '#' | '1'..='9') => return Uses::Its,
                    // $$ is a number of its own: the second one begins nothing.
                    Some('$') => _ = characters.next(),
                    _ => {}
                }
            }
            _ if doubly_quoted => {}
            '#' if before.is_whitespace() || ";&|()".contains(before) => {
                unclear.get_or_insert("has a comment");
                // Nothing in it counts.
                characters.by_ref().take_while(|character| *character != '\n').for_each(drop);
                before = '\n';
                continue;
            }
            '\n' => _ = unclear.get_or_insert("has several lines"),
            _ => {}
        }
        before = character;
    }
    if doubly_quoted {
        unclear = Some("has a quote that is not closed");
    }
    if unclear.is_none() && !doubly_quoted && "&;|".contains(before) {
        unclear = Some("ends where another command could begin");
    }
    unclear.map_or(Uses::None, Uses::Unclear)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command, arguments: &[&str]) -> Result<Vec<String>, String> {
        with_arguments(command, "x", &arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    /// What a real shell makes of it.
    fn run(text: &str, arguments: &[&str]) -> String {
        let words = words(&Command::Shell(text.to_owned()), arguments).unwrap();
        let output = std::process::Command::new(&words[0]).args(&words[1..]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_list_takes_them_at_its_end() {
        let command = Command::Argv(vec!["a".to_owned(), "b c".to_owned()]);
        assert_eq!(words(&command, &["d e", ""]).unwrap(), ["a", "b c", "d e", ""]);
        assert_eq!(words(&command, &[]).unwrap(), ["a", "b c"]);
    }

    #[test]
    fn behind_a_text_they_arrive_as_they_are() {
        let strange = ["a b", "'", "\"", "*", "$HOME", "$(id)", "`id`", "", "two\nlines", "-n", "\\", "ä", "; id"];
        let expected = strange.map(|argument| format!("<{argument}>")).concat();
        for text in [
            "printf '<%s>'",
            "printf '<%s>'  \n",
            "true && printf '<%s>'",
            "printf \"<%s>\"",
            "X='#' printf '<%s>'",
            "for a in \"$@\"; do printf '<%s>' \"$a\"; done # all",
            "printf '<%s>' \"$1\"\nshift\nprintf '<%s>' \"${@}\" &\nwait",
            "cat <<END >/dev/null\nx\nEND\nprintf '<%s>' \"$@\"",
        ] {
            assert_eq!(run(text, &strange), expected, "{text}");
        }
        assert_eq!(run("sh -c 'printf \"<%s>\" \"$@\"' y", &["a b"]), "<a b>", "another shell's are not ours");
        assert_eq!(run("printf %s $0", &[]), "x");
    }

    #[test]
    fn where_it_is_not_sure_that_they_belong_to_the_last_command_they_are_refused() {
        for text in [
            "make # all",
            "make #",
            "make &",
            "make;",
            "make |",
            "make &&",
            "cd x\nmake",
            "cat <<END\nx\nEND\n",
            "echo 'a",
            "echo \"a",
            "echo \\",
            "echo it\\'s # $@",
        ] {
            let why = words(&Command::Shell(text.to_owned()), &["a"]).unwrap_err();
            assert!(why.contains("\"$@\""), "{text}: {why}");
            assert!(words(&Command::Shell(text.to_owned()), &[]).is_ok(), "{text}: none are no problem");
        }
    }

    #[test]
    fn a_text_that_uses_its_parameters_says_where_they_go() {
        for text in
            ["f \"$@\"", "f $1", "f ${1:-x}", "f ${@}", "f ${#}", "test $# = 0", "f \"a$*b\"", "x=${1%.c}\nf $x"]
        {
            assert_eq!(uses(text), Uses::Its, "{text}");
        }
        for text in
            ["f '$@'", "f \\$1", "f $0", "f $$1", "f ${#x}", "f $x", "f a#b", "f $", "f \"a # b\"", "f \"it's\""]
        {
            assert_eq!(uses(text), Uses::None, "{text}");
        }
    }
}
