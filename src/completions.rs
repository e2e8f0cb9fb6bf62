//! Completions for shells: what clap makes of the command line, and on top of it the names of services, of first-run steps and
//! of jobs, which `devinit internal names` tells at the moment they are wanted.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::cli::Cli;

/// Wraps what clap has made: it knows no names, and offers placeholders such as `<SERVICE>` instead.
const BASH: &str = r#"
_devinit_names() {
    local word last="" command="" cur="${COMP_WORDS[COMP_CWORD]}" names=""
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ $word == "--" ]]; then break; fi
        if [[ $word != -* && $last != "--directory" ]]; then
            command="${command:+$command }$word"
            if [[ $command != "job" ]]; then break; fi
        fi
        last="$word"
    done
    case "$command:${COMP_WORDS[COMP_CWORD-1]}" in
        first-run:--only) names="steps" ;;
        "job status:status" | "job logs:logs" | "job wait:wait" | "job stop:stop" | "job retry:retry" | \
            "job logs:-f" | "job logs:--follow" | "job stop:--kill" | "job "*":--json") [[ $cur == -* ]] || names="jobs" ;;
        *:--timeout | *:--lines | *:-n) ;;
        start:* | stop:* | restart:* | status:* | logs:*) [[ $cur == -* ]] || names="services" ;;
    esac
    if [[ -n $names ]]; then
        COMPREPLY=( $(compgen -W "$("${COMP_WORDS[0]}" internal names "$names" 2>/dev/null)" -- "$cur") )
        return 0
    fi
    _devinit "$@"
    local index
    for index in "${!COMPREPLY[@]}"; do
        case "${COMPREPLY[index]}" in "<"* | "["*) unset "COMPREPLY[index]" ;; esac
    done
    COMPREPLY=( "${COMPREPLY[@]}" )
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _devinit_names -o nosort -o bashdefault -o default devinit
else
    complete -F _devinit_names -o bashdefault -o default devinit
fi
"#;

/// What clap's script for zsh calls for names.
const ZSH: &str = r#"
_devinit_names() {
    local -a names
    names=( ${(f)"$(_call_program names devinit internal names $1 2>/dev/null)"} )
    compadd -a names
}
"#;

/// In fish completions add up.
const FISH: &str = r#"
complete -c devinit -n "__fish_seen_subcommand_from start stop restart status logs; and not __fish_seen_subcommand_from job" -f -a "(devinit internal names services 2>/dev/null)"
complete -c devinit -n "__fish_seen_subcommand_from job; and __fish_seen_subcommand_from status logs wait stop retry" -f -a "(devinit internal names jobs 2>/dev/null)"
complete -c devinit -n "__fish_seen_subcommand_from first-run" -l only -x -a "(devinit internal names steps 2>/dev/null)"
"#;

/// The script for a shell.
#[must_use]
pub fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    // Without what is hidden, and without the main command: for zsh it would be the first word, and commands the second.
    let whole = Cli::command();
    let shown = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut commands = clap::Command::new("devinit").version(env!("CARGO_PKG_VERSION")).subcommands(shown);
    generate(shell, &mut commands, "devinit", &mut bytes);
    let script = String::from_utf8_lossy(&bytes).into_owned();
    match shell {
        Shell::Bash => script + BASH,
        Shell::Fish => script + FISH,
        Shell::Zsh => zsh(&script),
        _ => script,
    }
}

/// Has the arguments that are names completed by [`ZSH`], which goes below the first line: that one is for zsh.
fn zsh(script: &str) -> String {
    let mut out = String::with_capacity(script.len() + ZSH.len());
    for (index, line) in script.lines().enumerate() {
        // As in `'*::services -- The services, as `status` lists them:_default' \`, `':name -- The job:_default' \` and `'*--only=[…]:STEP:_default' \`.
        let names = if line.contains("::services -- ")
            || line.starts_with("':services -- ")
            || line.contains("'*:services -- ")
        {
            Some("services")
        } else if line.contains(":name -- The job:") {
            Some("jobs")
        } else {
            line.contains("--only=").then_some("steps")
        };
        let action = names.and_then(|names| Some((names, line.rsplit_once(":_default'")?)));
        match action {
            Some((names, (before, after))) => out.push_str(&format!("{before}:_devinit_names {names}'{after}\n")),
            None => out.extend([line, "\n"]),
        }
        if index == 0 {
            out.push_str(ZSH);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// A folder with a `devinit` that has names to tell.
    fn stand_in() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("devinit");
        let text = "#!/bin/sh\ncase \"$*\" in\n'internal names services') printf 'app\\nxvfb\\nollama\\n' ;;\n\
                    'internal names steps') printf 'codex\\ncodex.node\\nuv\\n' ;;\n\
                    'internal names jobs') printf 'build\\ntest\\n' ;;\nesac\n";
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    /// What bash offers for the last of these words.
    fn offered(folder: &Path, words: &[&str]) -> Vec<String> {
        let file = folder.join("completions.bash");
        std::fs::write(&file, script(Shell::Bash)).unwrap();
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let (cur, prev) = (quoted.last().unwrap(), &quoted[quoted.len() - 2]);
        let line = format!(
            "set -u; source '{}'; COMP_WORDS=({}); COMP_CWORD={}; COMPREPLY=(); _devinit_names devinit {cur} {prev}; \
             printf '%s\\n' \"${{COMPREPLY[@]:-}}\"",
            file.display(),
            quoted.join(" "),
            words.len() - 1,
        );
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash").args(["--norc", "-c", &line]).env("PATH", path).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn bash_offers_the_names_of_services_and_steps_where_they_belong() {
        if Command::new("bash").arg("--version").output().is_err() {
            return;
        }
        let folder = stand_in();
        let offered = |words: &[&str]| offered(folder.path(), words);
        for command in ["start", "stop", "restart", "status"] {
            assert_eq!(offered(&["devinit", command, ""]), ["app", "xvfb", "ollama"], "{command}");
        }
        assert_eq!(offered(&["devinit", "restart", "--wait", "app", "x"]), ["xvfb"]);
        assert_eq!(offered(&["devinit", "first-run", "--only", "co"]), ["codex", "codex.node"]);
        assert_eq!(offered(&["devinit", "restart", "--wa"]), ["--wait"]);
        for command in ["status", "logs", "wait", "stop", "retry"] {
            assert_eq!(offered(&["devinit", "job", command, ""]), ["build", "test"], "{command}");
            assert_eq!(offered(&["devinit", "job", "--directory", "x", command, "b"]), ["build"], "{command}");
        }
        assert_eq!(offered(&["devinit", "job", "stop", "--kill", "t"]), ["test"]);
        assert_eq!(offered(&["devinit", "job", "stop", "--ki"]), ["--kill"]);
        assert!(offered(&["devinit", "job", ""]).contains(&"retry".to_owned()));
        assert_eq!(offered(&["devinit", "start", "q"]), [""; 0]);
        let commands = offered(&["devinit", ""]);
        assert!(commands.contains(&"restart".to_owned()) && !commands.contains(&"internal".to_owned()), "{commands:?}");
        assert!(!commands.iter().any(|word| word.starts_with(['<', '['])), "{commands:?}");
    }

    #[test]
    fn where_nothing_answers_bash_offers_nothing_and_is_not_disturbed() {
        if Command::new("bash").arg("--version").output().is_err() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("devinit");
        std::fs::write(&program, "#!/bin/sh\necho trouble >&2; exit 2\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(offered(folder.path(), &["devinit", "stop", ""]), [""; 0]);
    }

    #[test]
    fn zsh_and_fish_ask_for_names_as_often_as_there_are_arguments_that_are_some() {
        let zsh = script(Shell::Zsh);
        assert!(zsh.starts_with("#compdef devinit\n"), "{}", &zsh[..80]);
        let cli = Cli::command();
        let shown = cli.get_subcommands().filter(|command| !command.is_hide_set());
        let with_names =
            shown.filter(|command| command.get_arguments().any(|argument| argument.get_id() == "services"));
        assert_eq!(zsh.matches(":_devinit_names services'").count(), with_names.count(), "{zsh}");
        assert_eq!(zsh.matches(":_devinit_names steps'").count(), 1, "{zsh}");
        assert_eq!(zsh.matches(":_devinit_names jobs'").count(), 5, "{zsh}");
        let fish = script(Shell::Fish);
        // A word in the place of the command would hide all commands.
        assert!(zsh.contains("case $line[1] in") && !zsh.contains("case $line[2] in"), "{zsh}");
        assert!(!zsh.contains("'internal:What") && !fish.contains("-a \"internal\""));
        assert!(fish.contains("__fish_seen_subcommand_from start stop restart status logs"));
        assert!(fish.contains("(devinit internal names jobs "));
        for shell in [Shell::Elvish, Shell::PowerShell] {
            assert!(script(shell).contains("restart"), "{shell}");
        }
    }
}
