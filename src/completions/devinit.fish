# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_devinit_global_optspecs
    string join \n h/help V/version
end

function __fish_devinit_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_devinit_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_devinit_using_subcommand
    set -l cmd (__fish_devinit_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c devinit -n "__fish_devinit_needs_command" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_needs_command" -s V -l version -d 'Print version'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "boot" -d 'Boot: as PID 1, or as a subreaper where something else is'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "first-run" -d 'Install what is still to be installed of the first run; safe to repeat, goes on where it was cut off'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "health" -d 'Whether the container is well: exit code 0 yes, 1 no, 2 cannot tell'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "status" -d 'How the container stands: services, the first run, users, keys, ports'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "start" -d 'Run services, and forget their failures'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "stop" -d 'End services and leave them so'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "restart" -d 'End services and run them again'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "reload" -d 'Read the config again, show what changed, and touch only that'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "logs" -d 'What services have printed: the last lines, and with -f what comes'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "job" -d 'Run long commands with a status file and a log, and see from anywhere how they stand'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "entrypoints" -d 'The entrypoints to choose from by DEVINIT_ENTRYPOINT'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "check" -d 'Check configs; exit code 0 when they are right, 1 when not'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "plan" -d 'Print what a boot would do, and do nothing'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "schema" -d 'Print the config\'s JSON Schema'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "analyze" -d 'Where the time of this boot and of the first run went, slowest first'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "greet" -d 'Print the greeting of login shells'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "try" -d 'Boot in namespaces of this machine over a throw-away copy of its files, to try a config without an image'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "man" -d 'Print the manual page'
complete -c devinit -n "__fish_devinit_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c devinit -n "__fish_devinit_using_subcommand boot" -l config -d 'The config, instead of /etc/devinit/config.yaml' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand boot" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand first-run" -l config -d 'The config, instead of /etc/devinit/config.yaml' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand first-run" -l user -d 'For whom, by name or uid, instead of first_run.user' -r
complete -c devinit -n "__fish_devinit_using_subcommand first-run" -l only -d 'Only this step with its parts, and what it needs (may be given several times)' -r
complete -c devinit -n "__fish_devinit_using_subcommand first-run" -l download-only -d 'Fill this folder with what the steps download, for machines like this one, and install nothing' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand first-run" -l bundle -d 'Install from a folder that --download-only has filled, without a network' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand first-run" -l force -d 'Do again what is done, so that `latest` is looked up anew: the steps of --only, or all of them'
complete -c devinit -n "__fish_devinit_using_subcommand first-run" -l plan -d 'Print what is done and what is to do, and change nothing'
complete -c devinit -n "__fish_devinit_using_subcommand first-run" -l json -d 'Events as lines of JSON; with --plan, one JSON document'
complete -c devinit -n "__fish_devinit_using_subcommand first-run" -l boot -d 'As the boot does it: quiet lines, whatever the output is'
complete -c devinit -n "__fish_devinit_using_subcommand first-run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c devinit -n "__fish_devinit_using_subcommand health" -l live -d 'Only whether devinit answers'
complete -c devinit -n "__fish_devinit_using_subcommand health" -l ready -d 'Also whether everything that was to start is ready'
complete -c devinit -n "__fish_devinit_using_subcommand health" -l json -d 'As JSON'
complete -c devinit -n "__fish_devinit_using_subcommand health" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand status" -l timeout -d 'How long to wait, such as 90s or 10m' -r
complete -c devinit -n "__fish_devinit_using_subcommand status" -l json -d 'As JSON'
complete -c devinit -n "__fish_devinit_using_subcommand status" -l wait -d 'Wait until nothing is pending; exit code 1 if something failed'
complete -c devinit -n "__fish_devinit_using_subcommand status" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand start" -l timeout -d 'How long to wait, such as 90s or 10m' -r
complete -c devinit -n "__fish_devinit_using_subcommand start" -l wait -d 'Wait until it is ready or has ended, and say why if it fails'
complete -c devinit -n "__fish_devinit_using_subcommand start" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand stop" -l timeout -d 'How long to wait, such as 90s or 10m' -r
complete -c devinit -n "__fish_devinit_using_subcommand stop" -l wait -d 'Wait until it is ready or has ended, and say why if it fails'
complete -c devinit -n "__fish_devinit_using_subcommand stop" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand restart" -l timeout -d 'How long to wait, such as 90s or 10m' -r
complete -c devinit -n "__fish_devinit_using_subcommand restart" -l wait -d 'Wait until it is ready or has ended, and say why if it fails'
complete -c devinit -n "__fish_devinit_using_subcommand restart" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand reload" -l dry-run -d 'Only show what would change'
complete -c devinit -n "__fish_devinit_using_subcommand reload" -l json -d 'As JSON'
complete -c devinit -n "__fish_devinit_using_subcommand reload" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand logs" -s n -l lines -d 'How many lines of each service' -r
complete -c devinit -n "__fish_devinit_using_subcommand logs" -s f -l follow -d 'Go on with what is printed from now on, until Ctrl-C'
complete -c devinit -n "__fish_devinit_using_subcommand logs" -l json -d 'As lines of JSON'
complete -c devinit -n "__fish_devinit_using_subcommand logs" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand job; and not __fish_seen_subcommand_from run status list logs wait stop retry help" -l directory -d 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config\'s `jobs.directory` names' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand job; and not __fish_seen_subcommand_from run status list logs wait stop retry help" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand job; and not __fish_seen_subcommand_from run status list logs wait stop retry help" -f -a "run" -d 'Run a command, and keep a status file and a log of it'
complete -c devinit -n "__fish_devinit_using_subcommand job; and not __fish_seen_subcommand_from run status list logs wait stop retry help" -f -a "status" -d 'How a job stands, in one line; without a name all of them'
complete -c devinit -n "__fish_devinit_using_subcommand job; and not __fish_seen_subcommand_from run status list logs wait stop retry help" -f -a "list" -d 'All jobs as a table, the latest first'
complete -c devinit -n "__fish_devinit_using_subcommand job; and not __fish_seen_subcommand_from run status list logs wait stop retry help" -f -a "logs" -d 'What a job has printed, without a number of lines all of it'
complete -c devinit -n "__fish_devinit_using_subcommand job; and not __fish_seen_subcommand_from run status list logs wait stop retry help" -f -a "wait" -d 'Wait until a job has ended'
complete -c devinit -n "__fish_devinit_using_subcommand job; and not __fish_seen_subcommand_from run status list logs wait stop retry help" -f -a "stop" -d 'End a job with all that it started: SIGTERM, then SIGKILL'
complete -c devinit -n "__fish_devinit_using_subcommand job; and not __fish_seen_subcommand_from run status list logs wait stop retry help" -f -a "retry" -d 'Run the command of an earlier job again, in its folder and with its name'
complete -c devinit -n "__fish_devinit_using_subcommand job; and not __fish_seen_subcommand_from run status list logs wait stop retry help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from run" -l queue -d 'Wait for a job that runs, instead of refusing: for the one of this name, or with `=JOB` for another one' -r
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from run" -l ansi -d 'What becomes of escape sequences (colours) in the log' -r -f -a "keep\t'They are kept'
strip\t'They are left out'"
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from run" -l stop-timeout -d 'How long it may take to end after SIGTERM before SIGKILL, such as 30s' -r
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from run" -l chdir -d 'The working folder of the command, instead of this one' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from run" -l directory -d 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config\'s `jobs.directory` names' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from run" -s d -l detach -d 'Begin it in the background and return'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Print nothing of what the job prints'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from status" -l directory -d 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config\'s `jobs.directory` names' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from status" -l json -d 'As JSON: the status file, with what is known beyond it'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from list" -l directory -d 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config\'s `jobs.directory` names' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from list" -l json -d 'As a JSON array'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from list" -l running -d 'Only those that run'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -s n -l tail -d 'Only the last N lines, after all other selection' -r
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -l since -d 'Only what was printed in the last 10m, or since 2026-01-31, 2026-01-31T12:00 or 2026-01-31T12:00:00Z' -r
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -l grep -d 'Only lines that contain this' -r
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -s C -l context -d 'How many lines around those of --errors and --grep; without it 2 with --errors, and 0 with --grep' -r
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -l stream -d 'Only this stream: stdout or stderr' -r -f -a "stdout\t'Its standard output'
stderr\t'Its standard error'"
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -l directory -d 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config\'s `jobs.directory` names' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Go on with what is printed from now on, until the job ends'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -s i -l ignore-case -d '--grep without regard to upper and lower case'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -l errors -d 'Only lines that look like errors'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -s t -l time -d 'With the time in front, in UTC'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -l json -d 'The records of these lines as they are in the log; with -f also that of the job\'s end'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -l raw -d 'The very bytes that the job printed, as far as the log has them'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from wait" -l timeout -d 'How long to wait, such as 90s or 2h; without it as long as it takes' -r
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from wait" -l directory -d 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config\'s `jobs.directory` names' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from wait" -l json -d 'Print the job\'s status as JSON when it has ended'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from stop" -l timeout -d 'How long to wait for its end, such as 90s' -r
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from stop" -l directory -d 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config\'s `jobs.directory` names' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from stop" -l kill -d 'SIGKILL at once'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from stop" -l json -d 'Print the job\'s status as JSON when it has ended'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from retry" -l queue -d 'Wait for a job that runs, instead of refusing: for the one of this name, or with `=JOB` for another one' -r
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from retry" -l ansi -d 'What becomes of escape sequences (colours) in the log' -r -f -a "keep\t'They are kept'
strip\t'They are left out'"
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from retry" -l stop-timeout -d 'How long it may take to end after SIGTERM before SIGKILL, such as 30s' -r
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from retry" -l directory -d 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config\'s `jobs.directory` names' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from retry" -s d -l detach -d 'Begin it in the background and return'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from retry" -s q -l quiet -d 'Print nothing of what the job prints'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from help" -f -a "run" -d 'Run a command, and keep a status file and a log of it'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from help" -f -a "status" -d 'How a job stands, in one line; without a name all of them'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from help" -f -a "list" -d 'All jobs as a table, the latest first'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from help" -f -a "logs" -d 'What a job has printed, without a number of lines all of it'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from help" -f -a "wait" -d 'Wait until a job has ended'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from help" -f -a "stop" -d 'End a job with all that it started: SIGTERM, then SIGKILL'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from help" -f -a "retry" -d 'Run the command of an earlier job again, in its folder and with its name'
complete -c devinit -n "__fish_devinit_using_subcommand job; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c devinit -n "__fish_devinit_using_subcommand entrypoints" -l config -d 'The config, instead of /etc/devinit/config.yaml' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand entrypoints" -l json -d 'As JSON'
complete -c devinit -n "__fish_devinit_using_subcommand entrypoints" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand check" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand plan" -l config -d 'The config, instead of /etc/devinit/config.yaml' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand plan" -l json -d 'As JSON'
complete -c devinit -n "__fish_devinit_using_subcommand plan" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand schema" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand analyze" -l json -d 'As JSON'
complete -c devinit -n "__fish_devinit_using_subcommand analyze" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c devinit -n "__fish_devinit_using_subcommand greet" -l boot -d 'The greeting of the container\'s log: with the host keys\' fingerprints'
complete -c devinit -n "__fish_devinit_using_subcommand greet" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand try" -l config -d 'The config, instead of one that devinit brings along for this' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand try" -l keep -d 'Keep what the container writes in this folder, and begin from it the next time' -r -F
complete -c devinit -n "__fish_devinit_using_subcommand try" -l ssh-port -d 'The port of sshd on 127.0.0.1' -r
complete -c devinit -n "__fish_devinit_using_subcommand try" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand completions" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand man" -s h -l help -d 'Print help'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "boot" -d 'Boot: as PID 1, or as a subreaper where something else is'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "first-run" -d 'Install what is still to be installed of the first run; safe to repeat, goes on where it was cut off'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "health" -d 'Whether the container is well: exit code 0 yes, 1 no, 2 cannot tell'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "status" -d 'How the container stands: services, the first run, users, keys, ports'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "start" -d 'Run services, and forget their failures'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "stop" -d 'End services and leave them so'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "restart" -d 'End services and run them again'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "reload" -d 'Read the config again, show what changed, and touch only that'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "logs" -d 'What services have printed: the last lines, and with -f what comes'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "job" -d 'Run long commands with a status file and a log, and see from anywhere how they stand'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "entrypoints" -d 'The entrypoints to choose from by DEVINIT_ENTRYPOINT'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "check" -d 'Check configs; exit code 0 when they are right, 1 when not'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "plan" -d 'Print what a boot would do, and do nothing'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "schema" -d 'Print the config\'s JSON Schema'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "analyze" -d 'Where the time of this boot and of the first run went, slowest first'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "greet" -d 'Print the greeting of login shells'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "try" -d 'Boot in namespaces of this machine over a throw-away copy of its files, to try a config without an image'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "completions" -d 'Print completions for a shell'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "man" -d 'Print the manual page'
complete -c devinit -n "__fish_devinit_using_subcommand help; and not __fish_seen_subcommand_from boot first-run health status start stop restart reload logs job entrypoints check plan schema analyze greet try completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c devinit -n "__fish_devinit_using_subcommand help; and __fish_seen_subcommand_from job" -f -a "run" -d 'Run a command, and keep a status file and a log of it'
complete -c devinit -n "__fish_devinit_using_subcommand help; and __fish_seen_subcommand_from job" -f -a "status" -d 'How a job stands, in one line; without a name all of them'
complete -c devinit -n "__fish_devinit_using_subcommand help; and __fish_seen_subcommand_from job" -f -a "list" -d 'All jobs as a table, the latest first'
complete -c devinit -n "__fish_devinit_using_subcommand help; and __fish_seen_subcommand_from job" -f -a "logs" -d 'What a job has printed, without a number of lines all of it'
complete -c devinit -n "__fish_devinit_using_subcommand help; and __fish_seen_subcommand_from job" -f -a "wait" -d 'Wait until a job has ended'
complete -c devinit -n "__fish_devinit_using_subcommand help; and __fish_seen_subcommand_from job" -f -a "stop" -d 'End a job with all that it started: SIGTERM, then SIGKILL'
complete -c devinit -n "__fish_devinit_using_subcommand help; and __fish_seen_subcommand_from job" -f -a "retry" -d 'Run the command of an earlier job again, in its folder and with its name'

complete -c devinit -n "__fish_seen_subcommand_from start stop restart status logs; and not __fish_seen_subcommand_from job" -f -a "(devinit internal names services 2>/dev/null)"
complete -c devinit -n "__fish_seen_subcommand_from job; and __fish_seen_subcommand_from status logs wait stop retry" -f -a "(devinit internal names jobs 2>/dev/null)"
complete -c devinit -n "__fish_seen_subcommand_from first-run" -l only -x -a "(devinit internal names steps 2>/dev/null)"
