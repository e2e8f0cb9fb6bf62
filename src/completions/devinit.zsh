#compdef devinit

_devinit_names() {
    local -a names
    names=( ${(f)"$(_call_program names devinit internal names $1 2>/dev/null)"} )
    compadd -a names
}

autoload -U is-at-least

_devinit() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_devinit_commands" \
"*::: :->devinit" \
&& ret=0
    case $state in
    (devinit)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:devinit-command-$line[1]:"
        case $line[1] in
            (boot)
_arguments "${_arguments_options[@]}" : \
'--config=[The config, instead of /etc/devinit/config.yaml]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
'*::main -- The main command\: gets the terminal, and its exit code is the container'\''s:_default' \
&& ret=0
;;
(first-run)
_arguments "${_arguments_options[@]}" : \
'--config=[The config, instead of /etc/devinit/config.yaml]:FILE:_files' \
'--user=[For whom, by name or uid, instead of first_run.user]:USER:_default' \
'*--only=[Only this step with its parts, and what it needs (may be given several times)]:STEP:_devinit_names steps' \
'(--bundle --force --plan)--download-only=[Fill this folder with what the steps download, for machines like this one, and install nothing]:DIR:_files' \
'--bundle=[Install from a folder that --download-only has filled, without a network]:DIR:_files' \
'--force[Do again what is done, so that \`latest\` is looked up anew\: the steps of --only, or all of them]' \
'--plan[Print what is done and what is to do, and change nothing]' \
'--json[Events as lines of JSON; with --plan, one JSON document]' \
'--boot[As the boot does it\: quiet lines, whatever the output is]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(health)
_arguments "${_arguments_options[@]}" : \
'(--ready)--live[Only whether devinit answers]' \
'--ready[Also whether everything that was to start is ready]' \
'--json[As JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
'--timeout=[How long to wait, such as 90s or 10m]:TIMEOUT:_default' \
'--json[As JSON]' \
'--wait[Wait until nothing is pending; exit code 1 if something failed]' \
'-h[Print help]' \
'--help[Print help]' \
'*::services -- Only these services, in detail:_devinit_names services' \
&& ret=0
;;
(start)
_arguments "${_arguments_options[@]}" : \
'--timeout=[How long to wait, such as 90s or 10m]:TIMEOUT:_default' \
'--wait[Wait until it is ready or has ended, and say why if it fails]' \
'-h[Print help]' \
'--help[Print help]' \
'*::services -- The services, as `status` lists them:_devinit_names services' \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
'--timeout=[How long to wait, such as 90s or 10m]:TIMEOUT:_default' \
'--wait[Wait until it is ready or has ended, and say why if it fails]' \
'-h[Print help]' \
'--help[Print help]' \
'*::services -- The services, as `status` lists them:_devinit_names services' \
&& ret=0
;;
(restart)
_arguments "${_arguments_options[@]}" : \
'--timeout=[How long to wait, such as 90s or 10m]:TIMEOUT:_default' \
'--wait[Wait until it is ready or has ended, and say why if it fails]' \
'-h[Print help]' \
'--help[Print help]' \
'*::services -- The services, as `status` lists them:_devinit_names services' \
&& ret=0
;;
(reload)
_arguments "${_arguments_options[@]}" : \
'--dry-run[Only show what would change]' \
'--json[As JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(logs)
_arguments "${_arguments_options[@]}" : \
'-n+[How many lines of each service]:N:_default' \
'--lines=[How many lines of each service]:N:_default' \
'-f[Go on with what is printed from now on, until Ctrl-C]' \
'--follow[Go on with what is printed from now on, until Ctrl-C]' \
'--json[As lines of JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'*::services -- The services, as `status` lists them; without one all of them:_devinit_names services' \
&& ret=0
;;
(job)
_arguments "${_arguments_options[@]}" : \
'--directory=[The folder of jobs, instead of what \`DEVINIT_JOBS\` or the config'\''s \`jobs.directory\` names]:DIR:_files' \
'-h[Print help]' \
'--help[Print help]' \
":: :_devinit__subcmd__job_commands" \
"*::: :->job" \
&& ret=0

    case $state in
    (job)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:devinit-job-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
'--queue=[Wait for a job that runs, instead of refusing\: for the one of this name, or with \`=JOB\` for another one]::JOB:_default' \
'--ansi=[What becomes of escape sequences (colours) in the log]:ANSI:((keep\:"They are kept"
strip\:"They are left out"))' \
'--stop-timeout=[How long it may take to end after SIGTERM before SIGKILL, such as 30s]:TIME:_default' \
'--chdir=[The working folder of the command, instead of this one]:DIR:_files' \
'--directory=[The folder of jobs, instead of what \`DEVINIT_JOBS\` or the config'\''s \`jobs.directory\` names]:DIR:_files' \
'-d[Begin it in the background and return]' \
'--detach[Begin it in the background and return]' \
'-q[Print nothing of what the job prints]' \
'--quiet[Print nothing of what the job prints]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- The job'\''s name\: letters, digits, `-`, `_`, `.`, `+` and `@`:_default' \
'*::main -- The command:_default' \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
'--directory=[The folder of jobs, instead of what \`DEVINIT_JOBS\` or the config'\''s \`jobs.directory\` names]:DIR:_files' \
'--json[As JSON\: the status file, with what is known beyond it]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'::name -- The job:_devinit_names jobs' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'--directory=[The folder of jobs, instead of what \`DEVINIT_JOBS\` or the config'\''s \`jobs.directory\` names]:DIR:_files' \
'--json[As a JSON array]' \
'--running[Only those that run]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(logs)
_arguments "${_arguments_options[@]}" : \
'-n+[Only the last N lines, after all other selection]:N:_default' \
'--tail=[Only the last N lines, after all other selection]:N:_default' \
'--since=[Only what was printed in the last 10m, or since 2026-01-31, 2026-01-31T12\:00 or 2026-01-31T12\:00\:00Z]:TIME:_default' \
'--grep=[Only lines that contain this]:TEXT:_default' \
'-C+[How many lines around those of --errors and --grep; without it 2 with --errors, and 0 with --grep]:N:_default' \
'--context=[How many lines around those of --errors and --grep; without it 2 with --errors, and 0 with --grep]:N:_default' \
'--stream=[Only this stream\: stdout or stderr]:STREAM:((stdout\:"Its standard output"
stderr\:"Its standard error"))' \
'--directory=[The folder of jobs, instead of what \`DEVINIT_JOBS\` or the config'\''s \`jobs.directory\` names]:DIR:_files' \
'-f[Go on with what is printed from now on, until the job ends]' \
'--follow[Go on with what is printed from now on, until the job ends]' \
'-i[--grep without regard to upper and lower case]' \
'--ignore-case[--grep without regard to upper and lower case]' \
'--errors[Only lines that look like errors]' \
'-t[With the time in front, in UTC]' \
'--time[With the time in front, in UTC]' \
'(--raw)--json[The records of these lines as they are in the log; with -f also that of the job'\''s end]' \
'(-t --time --grep --errors -C --context)--raw[The very bytes that the job printed, as far as the log has them]' \
'-h[Print help]' \
'--help[Print help]' \
':name -- The job:_devinit_names jobs' \
&& ret=0
;;
(wait)
_arguments "${_arguments_options[@]}" : \
'--timeout=[How long to wait, such as 90s or 2h; without it as long as it takes]:TIME:_default' \
'--directory=[The folder of jobs, instead of what \`DEVINIT_JOBS\` or the config'\''s \`jobs.directory\` names]:DIR:_files' \
'--json[Print the job'\''s status as JSON when it has ended]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- The job:_devinit_names jobs' \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
'--timeout=[How long to wait for its end, such as 90s]:TIME:_default' \
'--directory=[The folder of jobs, instead of what \`DEVINIT_JOBS\` or the config'\''s \`jobs.directory\` names]:DIR:_files' \
'--kill[SIGKILL at once]' \
'--json[Print the job'\''s status as JSON when it has ended]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- The job:_devinit_names jobs' \
&& ret=0
;;
(retry)
_arguments "${_arguments_options[@]}" : \
'--queue=[Wait for a job that runs, instead of refusing\: for the one of this name, or with \`=JOB\` for another one]::JOB:_default' \
'--ansi=[What becomes of escape sequences (colours) in the log]:ANSI:((keep\:"They are kept"
strip\:"They are left out"))' \
'--stop-timeout=[How long it may take to end after SIGTERM before SIGKILL, such as 30s]:TIME:_default' \
'--directory=[The folder of jobs, instead of what \`DEVINIT_JOBS\` or the config'\''s \`jobs.directory\` names]:DIR:_files' \
'-d[Begin it in the background and return]' \
'--detach[Begin it in the background and return]' \
'-q[Print nothing of what the job prints]' \
'--quiet[Print nothing of what the job prints]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- The job:_devinit_names jobs' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_devinit__subcmd__job__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:devinit-job-help-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(logs)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(wait)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(retry)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(entrypoints)
_arguments "${_arguments_options[@]}" : \
'--config=[The config, instead of /etc/devinit/config.yaml]:FILE:_files' \
'--json[As JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
'*::files -- The configs, each by itself; without one the config of this machine with its drop-ins:_files' \
&& ret=0
;;
(plan)
_arguments "${_arguments_options[@]}" : \
'--config=[The config, instead of /etc/devinit/config.yaml]:FILE:_files' \
'--json[As JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'*::main -- The main command that the boot would have:_default' \
&& ret=0
;;
(schema)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(analyze)
_arguments "${_arguments_options[@]}" : \
'--json[As JSON]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(greet)
_arguments "${_arguments_options[@]}" : \
'--boot[The greeting of the container'\''s log\: with the host keys'\'' fingerprints]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(try)
_arguments "${_arguments_options[@]}" : \
'--config=[The config, instead of one that devinit brings along for this]:FILE:_files' \
'--keep=[Keep what the container writes in this folder, and begin from it the next time]::FOLDER:_files' \
'--ssh-port=[The port of sshd on 127.0.0.1]:SSH_PORT:_default' \
'-h[Print help]' \
'--help[Print help]' \
'*::main -- The main command, instead of the app:_default' \
&& ret=0
;;
(completions)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
':shell -- bash, zsh, fish, elvish or powershell:(bash elvish fish powershell zsh)' \
&& ret=0
;;
(man)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_devinit__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:devinit-help-command-$line[1]:"
        case $line[1] in
            (boot)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(first-run)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(health)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(start)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(restart)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(reload)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(logs)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(job)
_arguments "${_arguments_options[@]}" : \
":: :_devinit__subcmd__help__subcmd__job_commands" \
"*::: :->job" \
&& ret=0

    case $state in
    (job)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:devinit-help-job-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(logs)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(wait)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(retry)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(entrypoints)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(plan)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(schema)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(analyze)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(greet)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(try)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(completions)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(man)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_devinit_commands] )) ||
_devinit_commands() {
    local commands; commands=(
'boot:Boot\: as PID 1, or as a subreaper where something else is' \
'first-run:Install what is still to be installed of the first run; safe to repeat, goes on where it was cut off' \
'health:Whether the container is well\: exit code 0 yes, 1 no, 2 cannot tell' \
'status:How the container stands\: services, the first run, users, keys, ports' \
'start:Run services, and forget their failures' \
'stop:End services and leave them so' \
'restart:End services and run them again' \
'reload:Read the config again, show what changed, and touch only that' \
'logs:What services have printed\: the last lines, and with -f what comes' \
'job:Run long commands with a status file and a log, and see from anywhere how they stand' \
'entrypoints:The entrypoints to choose from by DEVINIT_ENTRYPOINT' \
'check:Check configs; exit code 0 when they are right, 1 when not' \
'plan:Print what a boot would do, and do nothing' \
'schema:Print the config'\''s JSON Schema' \
'analyze:Where the time of this boot and of the first run went, slowest first' \
'greet:Print the greeting of login shells' \
'try:Boot in namespaces of this machine over a throw-away copy of its files, to try a config without an image' \
'completions:Print completions for a shell' \
'man:Print the manual page' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'devinit commands' commands "$@"
}
(( $+functions[_devinit__subcmd__analyze_commands] )) ||
_devinit__subcmd__analyze_commands() {
    local commands; commands=()
    _describe -t commands 'devinit analyze commands' commands "$@"
}
(( $+functions[_devinit__subcmd__boot_commands] )) ||
_devinit__subcmd__boot_commands() {
    local commands; commands=()
    _describe -t commands 'devinit boot commands' commands "$@"
}
(( $+functions[_devinit__subcmd__check_commands] )) ||
_devinit__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'devinit check commands' commands "$@"
}
(( $+functions[_devinit__subcmd__completions_commands] )) ||
_devinit__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'devinit completions commands' commands "$@"
}
(( $+functions[_devinit__subcmd__entrypoints_commands] )) ||
_devinit__subcmd__entrypoints_commands() {
    local commands; commands=()
    _describe -t commands 'devinit entrypoints commands' commands "$@"
}
(( $+functions[_devinit__subcmd__first-run_commands] )) ||
_devinit__subcmd__first-run_commands() {
    local commands; commands=()
    _describe -t commands 'devinit first-run commands' commands "$@"
}
(( $+functions[_devinit__subcmd__greet_commands] )) ||
_devinit__subcmd__greet_commands() {
    local commands; commands=()
    _describe -t commands 'devinit greet commands' commands "$@"
}
(( $+functions[_devinit__subcmd__health_commands] )) ||
_devinit__subcmd__health_commands() {
    local commands; commands=()
    _describe -t commands 'devinit health commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help_commands] )) ||
_devinit__subcmd__help_commands() {
    local commands; commands=(
'boot:Boot\: as PID 1, or as a subreaper where something else is' \
'first-run:Install what is still to be installed of the first run; safe to repeat, goes on where it was cut off' \
'health:Whether the container is well\: exit code 0 yes, 1 no, 2 cannot tell' \
'status:How the container stands\: services, the first run, users, keys, ports' \
'start:Run services, and forget their failures' \
'stop:End services and leave them so' \
'restart:End services and run them again' \
'reload:Read the config again, show what changed, and touch only that' \
'logs:What services have printed\: the last lines, and with -f what comes' \
'job:Run long commands with a status file and a log, and see from anywhere how they stand' \
'entrypoints:The entrypoints to choose from by DEVINIT_ENTRYPOINT' \
'check:Check configs; exit code 0 when they are right, 1 when not' \
'plan:Print what a boot would do, and do nothing' \
'schema:Print the config'\''s JSON Schema' \
'analyze:Where the time of this boot and of the first run went, slowest first' \
'greet:Print the greeting of login shells' \
'try:Boot in namespaces of this machine over a throw-away copy of its files, to try a config without an image' \
'completions:Print completions for a shell' \
'man:Print the manual page' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'devinit help commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__analyze_commands] )) ||
_devinit__subcmd__help__subcmd__analyze_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help analyze commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__boot_commands] )) ||
_devinit__subcmd__help__subcmd__boot_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help boot commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__check_commands] )) ||
_devinit__subcmd__help__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help check commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__completions_commands] )) ||
_devinit__subcmd__help__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help completions commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__entrypoints_commands] )) ||
_devinit__subcmd__help__subcmd__entrypoints_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help entrypoints commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__first-run_commands] )) ||
_devinit__subcmd__help__subcmd__first-run_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help first-run commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__greet_commands] )) ||
_devinit__subcmd__help__subcmd__greet_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help greet commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__health_commands] )) ||
_devinit__subcmd__help__subcmd__health_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help health commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__help_commands] )) ||
_devinit__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help help commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__job_commands] )) ||
_devinit__subcmd__help__subcmd__job_commands() {
    local commands; commands=(
'run:Run a command, and keep a status file and a log of it' \
'status:How a job stands, in one line; without a name all of them' \
'list:All jobs as a table, the latest first' \
'logs:What a job has printed, without a number of lines all of it' \
'wait:Wait until a job has ended' \
'stop:End a job with all that it started\: SIGTERM, then SIGKILL' \
'retry:Run the command of an earlier job again, in its folder and with its name' \
    )
    _describe -t commands 'devinit help job commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__job__subcmd__list_commands] )) ||
_devinit__subcmd__help__subcmd__job__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help job list commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__job__subcmd__logs_commands] )) ||
_devinit__subcmd__help__subcmd__job__subcmd__logs_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help job logs commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__job__subcmd__retry_commands] )) ||
_devinit__subcmd__help__subcmd__job__subcmd__retry_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help job retry commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__job__subcmd__run_commands] )) ||
_devinit__subcmd__help__subcmd__job__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help job run commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__job__subcmd__status_commands] )) ||
_devinit__subcmd__help__subcmd__job__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help job status commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__job__subcmd__stop_commands] )) ||
_devinit__subcmd__help__subcmd__job__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help job stop commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__job__subcmd__wait_commands] )) ||
_devinit__subcmd__help__subcmd__job__subcmd__wait_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help job wait commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__logs_commands] )) ||
_devinit__subcmd__help__subcmd__logs_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help logs commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__man_commands] )) ||
_devinit__subcmd__help__subcmd__man_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help man commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__plan_commands] )) ||
_devinit__subcmd__help__subcmd__plan_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help plan commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__reload_commands] )) ||
_devinit__subcmd__help__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help reload commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__restart_commands] )) ||
_devinit__subcmd__help__subcmd__restart_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help restart commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__schema_commands] )) ||
_devinit__subcmd__help__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help schema commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__start_commands] )) ||
_devinit__subcmd__help__subcmd__start_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help start commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__status_commands] )) ||
_devinit__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help status commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__stop_commands] )) ||
_devinit__subcmd__help__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help stop commands' commands "$@"
}
(( $+functions[_devinit__subcmd__help__subcmd__try_commands] )) ||
_devinit__subcmd__help__subcmd__try_commands() {
    local commands; commands=()
    _describe -t commands 'devinit help try commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job_commands] )) ||
_devinit__subcmd__job_commands() {
    local commands; commands=(
'run:Run a command, and keep a status file and a log of it' \
'status:How a job stands, in one line; without a name all of them' \
'list:All jobs as a table, the latest first' \
'logs:What a job has printed, without a number of lines all of it' \
'wait:Wait until a job has ended' \
'stop:End a job with all that it started\: SIGTERM, then SIGKILL' \
'retry:Run the command of an earlier job again, in its folder and with its name' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'devinit job commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__help_commands] )) ||
_devinit__subcmd__job__subcmd__help_commands() {
    local commands; commands=(
'run:Run a command, and keep a status file and a log of it' \
'status:How a job stands, in one line; without a name all of them' \
'list:All jobs as a table, the latest first' \
'logs:What a job has printed, without a number of lines all of it' \
'wait:Wait until a job has ended' \
'stop:End a job with all that it started\: SIGTERM, then SIGKILL' \
'retry:Run the command of an earlier job again, in its folder and with its name' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'devinit job help commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__help__subcmd__help_commands] )) ||
_devinit__subcmd__job__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job help help commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__help__subcmd__list_commands] )) ||
_devinit__subcmd__job__subcmd__help__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job help list commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__help__subcmd__logs_commands] )) ||
_devinit__subcmd__job__subcmd__help__subcmd__logs_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job help logs commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__help__subcmd__retry_commands] )) ||
_devinit__subcmd__job__subcmd__help__subcmd__retry_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job help retry commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__help__subcmd__run_commands] )) ||
_devinit__subcmd__job__subcmd__help__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job help run commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__help__subcmd__status_commands] )) ||
_devinit__subcmd__job__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job help status commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__help__subcmd__stop_commands] )) ||
_devinit__subcmd__job__subcmd__help__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job help stop commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__help__subcmd__wait_commands] )) ||
_devinit__subcmd__job__subcmd__help__subcmd__wait_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job help wait commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__list_commands] )) ||
_devinit__subcmd__job__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job list commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__logs_commands] )) ||
_devinit__subcmd__job__subcmd__logs_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job logs commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__retry_commands] )) ||
_devinit__subcmd__job__subcmd__retry_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job retry commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__run_commands] )) ||
_devinit__subcmd__job__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job run commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__status_commands] )) ||
_devinit__subcmd__job__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job status commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__stop_commands] )) ||
_devinit__subcmd__job__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job stop commands' commands "$@"
}
(( $+functions[_devinit__subcmd__job__subcmd__wait_commands] )) ||
_devinit__subcmd__job__subcmd__wait_commands() {
    local commands; commands=()
    _describe -t commands 'devinit job wait commands' commands "$@"
}
(( $+functions[_devinit__subcmd__logs_commands] )) ||
_devinit__subcmd__logs_commands() {
    local commands; commands=()
    _describe -t commands 'devinit logs commands' commands "$@"
}
(( $+functions[_devinit__subcmd__man_commands] )) ||
_devinit__subcmd__man_commands() {
    local commands; commands=()
    _describe -t commands 'devinit man commands' commands "$@"
}
(( $+functions[_devinit__subcmd__plan_commands] )) ||
_devinit__subcmd__plan_commands() {
    local commands; commands=()
    _describe -t commands 'devinit plan commands' commands "$@"
}
(( $+functions[_devinit__subcmd__reload_commands] )) ||
_devinit__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'devinit reload commands' commands "$@"
}
(( $+functions[_devinit__subcmd__restart_commands] )) ||
_devinit__subcmd__restart_commands() {
    local commands; commands=()
    _describe -t commands 'devinit restart commands' commands "$@"
}
(( $+functions[_devinit__subcmd__schema_commands] )) ||
_devinit__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'devinit schema commands' commands "$@"
}
(( $+functions[_devinit__subcmd__start_commands] )) ||
_devinit__subcmd__start_commands() {
    local commands; commands=()
    _describe -t commands 'devinit start commands' commands "$@"
}
(( $+functions[_devinit__subcmd__status_commands] )) ||
_devinit__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'devinit status commands' commands "$@"
}
(( $+functions[_devinit__subcmd__stop_commands] )) ||
_devinit__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'devinit stop commands' commands "$@"
}
(( $+functions[_devinit__subcmd__try_commands] )) ||
_devinit__subcmd__try_commands() {
    local commands; commands=()
    _describe -t commands 'devinit try commands' commands "$@"
}

if [ "$funcstack[1]" = "_devinit" ]; then
    _devinit "$@"
else
    compdef _devinit devinit
fi
