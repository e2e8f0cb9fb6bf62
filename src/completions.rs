//! Completions for shells: what clap makes of the command line, and on top of it the names of services, of first-run steps and
//! of jobs, which `devinit internal names` tells at the moment they are wanted.

#[cfg(test)]
mod make;

use crate::cli::Shell;
use crate::texts;

/// The script for a shell.
#[must_use]
pub fn script(shell: Shell) -> String {
    texts::text(file(shell))
}

fn file(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "src/completions/devinit.bash",
        Shell::Elvish => "src/completions/devinit.elv",
        Shell::Fish => "src/completions/devinit.fish",
        Shell::Powershell => "src/completions/devinit.ps1",
        Shell::Zsh => "src/completions/devinit.zsh",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_files_say_what_the_command_line_says() {
        for (made, shell) in [
            (make::script(clap_complete::Shell::Bash), Shell::Bash),
            (make::script(clap_complete::Shell::Elvish), Shell::Elvish),
            (make::script(clap_complete::Shell::Fish), Shell::Fish),
            (make::script(clap_complete::Shell::PowerShell), Shell::Powershell),
            (make::script(clap_complete::Shell::Zsh), Shell::Zsh),
        ] {
            texts::hold(file(shell), &made);
        }
    }

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
        for shell in [Shell::Elvish, Shell::Powershell] {
            assert!(script(shell).contains("restart"), "{shell:?}");
        }
    }
}
