//! Makes the completions of the command line.

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
pub(super) fn script(shell: Shell) -> String {
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
        // As in
        // `'*::services -- The services, as `status` lists them:_default' \`, `':name -- The job:_default' \` and `'*--only=[…]:STEP:_default' \`.
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
