
use builtin;
use str;

set edit:completion:arg-completer[devinit] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'devinit'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'devinit'= {
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand boot 'Boot: as PID 1, or as a subreaper where something else is'
            cand first-run 'Install what is still to be installed of the first run; safe to repeat, goes on where it was cut off'
            cand health 'Whether the container is well: exit code 0 yes, 1 no, 2 cannot tell'
            cand status 'How the container stands: services, the first run, users, keys, ports'
            cand start 'Run services, and forget their failures'
            cand stop 'End services and leave them so'
            cand restart 'End services and run them again'
            cand reload 'Read the config again, show what changed, and touch only that'
            cand logs 'What services have printed: the last lines, and with -f what comes'
            cand job 'Run long commands with a status file and a log, and see from anywhere how they stand'
            cand entrypoints 'The entrypoints to choose from by DEVINIT_ENTRYPOINT'
            cand check 'Check configs; exit code 0 when they are right, 1 when not'
            cand plan 'Print what a boot would do, and do nothing'
            cand schema 'Print the config''s JSON Schema'
            cand analyze 'Where the time of this boot and of the first run went, slowest first'
            cand greet 'Print the greeting of login shells'
            cand try 'Boot in namespaces of this machine over a throw-away copy of its files, to try a config without an image'
            cand completions 'Print completions for a shell'
            cand man 'Print the manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'devinit;boot'= {
            cand --config 'The config, instead of /etc/devinit/config.yaml'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;first-run'= {
            cand --config 'The config, instead of /etc/devinit/config.yaml'
            cand --user 'For whom, by name or uid, instead of first_run.user'
            cand --only 'Only this step with its parts, and what it needs (may be given several times)'
            cand --download-only 'Fill this folder with what the steps download, for machines like this one, and install nothing'
            cand --bundle 'Install from a folder that --download-only has filled, without a network'
            cand --force 'Do again what is done, so that `latest` is looked up anew: the steps of --only, or all of them'
            cand --plan 'Print what is done and what is to do, and change nothing'
            cand --json 'Events as lines of JSON; with --plan, one JSON document'
            cand --boot 'As the boot does it: quiet lines, whatever the output is'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'devinit;health'= {
            cand --live 'Only whether devinit answers'
            cand --ready 'Also whether everything that was to start is ready'
            cand --json 'As JSON'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;status'= {
            cand --timeout 'How long to wait, such as 90s or 10m'
            cand --json 'As JSON'
            cand --wait 'Wait until nothing is pending; exit code 1 if something failed'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;start'= {
            cand --timeout 'How long to wait, such as 90s or 10m'
            cand --wait 'Wait until it is ready or has ended, and say why if it fails'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;stop'= {
            cand --timeout 'How long to wait, such as 90s or 10m'
            cand --wait 'Wait until it is ready or has ended, and say why if it fails'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;restart'= {
            cand --timeout 'How long to wait, such as 90s or 10m'
            cand --wait 'Wait until it is ready or has ended, and say why if it fails'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;reload'= {
            cand --dry-run 'Only show what would change'
            cand --json 'As JSON'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;logs'= {
            cand -n 'How many lines of each service'
            cand --lines 'How many lines of each service'
            cand -f 'Go on with what is printed from now on, until Ctrl-C'
            cand --follow 'Go on with what is printed from now on, until Ctrl-C'
            cand --json 'As lines of JSON'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;job'= {
            cand --directory 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names'
            cand -h 'Print help'
            cand --help 'Print help'
            cand run 'Run a command, and keep a status file and a log of it'
            cand status 'How a job stands, in one line; without a name all of them'
            cand list 'All jobs as a table, the latest first'
            cand logs 'What a job has printed, without a number of lines all of it'
            cand wait 'Wait until a job has ended'
            cand stop 'End a job with all that it started: SIGTERM, then SIGKILL'
            cand retry 'Run the command of an earlier job again, in its folder and with its name'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'devinit;job;run'= {
            cand --queue 'Wait for a job that runs, instead of refusing: for the one of this name, or with `=JOB` for another one'
            cand --ansi 'What becomes of escape sequences (colours) in the log'
            cand --stop-timeout 'How long it may take to end after SIGTERM before SIGKILL, such as 30s'
            cand --chdir 'The working folder of the command, instead of this one'
            cand --directory 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names'
            cand -d 'Begin it in the background and return'
            cand --detach 'Begin it in the background and return'
            cand -q 'Print nothing of what the job prints'
            cand --quiet 'Print nothing of what the job prints'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'devinit;job;status'= {
            cand --directory 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names'
            cand --json 'As JSON: the status file, with what is known beyond it'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'devinit;job;list'= {
            cand --directory 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names'
            cand --json 'As a JSON array'
            cand --running 'Only those that run'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;job;logs'= {
            cand -n 'Only the last N lines, after all other selection'
            cand --tail 'Only the last N lines, after all other selection'
            cand --since 'Only what was printed in the last 10m, or since 2026-01-31, 2026-01-31T12:00 or 2026-01-31T12:00:00Z'
            cand --grep 'Only lines that contain this'
            cand -C 'How many lines around those of --errors and --grep; without it 2 with --errors, and 0 with --grep'
            cand --context 'How many lines around those of --errors and --grep; without it 2 with --errors, and 0 with --grep'
            cand --stream 'Only this stream: stdout or stderr'
            cand --directory 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names'
            cand -f 'Go on with what is printed from now on, until the job ends'
            cand --follow 'Go on with what is printed from now on, until the job ends'
            cand -i '--grep without regard to upper and lower case'
            cand --ignore-case '--grep without regard to upper and lower case'
            cand --errors 'Only lines that look like errors'
            cand -t 'With the time in front, in UTC'
            cand --time 'With the time in front, in UTC'
            cand --json 'The records of these lines as they are in the log; with -f also that of the job''s end'
            cand --raw 'The very bytes that the job printed, as far as the log has them'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;job;wait'= {
            cand --timeout 'How long to wait, such as 90s or 2h; without it as long as it takes'
            cand --directory 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names'
            cand --json 'Print the job''s status as JSON when it has ended'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'devinit;job;stop'= {
            cand --timeout 'How long to wait for its end, such as 90s'
            cand --directory 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names'
            cand --kill 'SIGKILL at once'
            cand --json 'Print the job''s status as JSON when it has ended'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'devinit;job;retry'= {
            cand --queue 'Wait for a job that runs, instead of refusing: for the one of this name, or with `=JOB` for another one'
            cand --ansi 'What becomes of escape sequences (colours) in the log'
            cand --stop-timeout 'How long it may take to end after SIGTERM before SIGKILL, such as 30s'
            cand --directory 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names'
            cand -d 'Begin it in the background and return'
            cand --detach 'Begin it in the background and return'
            cand -q 'Print nothing of what the job prints'
            cand --quiet 'Print nothing of what the job prints'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'devinit;job;help'= {
            cand run 'Run a command, and keep a status file and a log of it'
            cand status 'How a job stands, in one line; without a name all of them'
            cand list 'All jobs as a table, the latest first'
            cand logs 'What a job has printed, without a number of lines all of it'
            cand wait 'Wait until a job has ended'
            cand stop 'End a job with all that it started: SIGTERM, then SIGKILL'
            cand retry 'Run the command of an earlier job again, in its folder and with its name'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'devinit;job;help;run'= {
        }
        &'devinit;job;help;status'= {
        }
        &'devinit;job;help;list'= {
        }
        &'devinit;job;help;logs'= {
        }
        &'devinit;job;help;wait'= {
        }
        &'devinit;job;help;stop'= {
        }
        &'devinit;job;help;retry'= {
        }
        &'devinit;job;help;help'= {
        }
        &'devinit;entrypoints'= {
            cand --config 'The config, instead of /etc/devinit/config.yaml'
            cand --json 'As JSON'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;check'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;plan'= {
            cand --config 'The config, instead of /etc/devinit/config.yaml'
            cand --json 'As JSON'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;schema'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;analyze'= {
            cand --json 'As JSON'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'devinit;greet'= {
            cand --boot 'The greeting of the container''s log: with the host keys'' fingerprints'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;try'= {
            cand --config 'The config, instead of one that devinit brings along for this'
            cand --keep 'Keep what the container writes in this folder, and begin from it the next time'
            cand --ssh-port 'The port of sshd on 127.0.0.1'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;completions'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;man'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'devinit;help'= {
            cand boot 'Boot: as PID 1, or as a subreaper where something else is'
            cand first-run 'Install what is still to be installed of the first run; safe to repeat, goes on where it was cut off'
            cand health 'Whether the container is well: exit code 0 yes, 1 no, 2 cannot tell'
            cand status 'How the container stands: services, the first run, users, keys, ports'
            cand start 'Run services, and forget their failures'
            cand stop 'End services and leave them so'
            cand restart 'End services and run them again'
            cand reload 'Read the config again, show what changed, and touch only that'
            cand logs 'What services have printed: the last lines, and with -f what comes'
            cand job 'Run long commands with a status file and a log, and see from anywhere how they stand'
            cand entrypoints 'The entrypoints to choose from by DEVINIT_ENTRYPOINT'
            cand check 'Check configs; exit code 0 when they are right, 1 when not'
            cand plan 'Print what a boot would do, and do nothing'
            cand schema 'Print the config''s JSON Schema'
            cand analyze 'Where the time of this boot and of the first run went, slowest first'
            cand greet 'Print the greeting of login shells'
            cand try 'Boot in namespaces of this machine over a throw-away copy of its files, to try a config without an image'
            cand completions 'Print completions for a shell'
            cand man 'Print the manual page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'devinit;help;boot'= {
        }
        &'devinit;help;first-run'= {
        }
        &'devinit;help;health'= {
        }
        &'devinit;help;status'= {
        }
        &'devinit;help;start'= {
        }
        &'devinit;help;stop'= {
        }
        &'devinit;help;restart'= {
        }
        &'devinit;help;reload'= {
        }
        &'devinit;help;logs'= {
        }
        &'devinit;help;job'= {
            cand run 'Run a command, and keep a status file and a log of it'
            cand status 'How a job stands, in one line; without a name all of them'
            cand list 'All jobs as a table, the latest first'
            cand logs 'What a job has printed, without a number of lines all of it'
            cand wait 'Wait until a job has ended'
            cand stop 'End a job with all that it started: SIGTERM, then SIGKILL'
            cand retry 'Run the command of an earlier job again, in its folder and with its name'
        }
        &'devinit;help;job;run'= {
        }
        &'devinit;help;job;status'= {
        }
        &'devinit;help;job;list'= {
        }
        &'devinit;help;job;logs'= {
        }
        &'devinit;help;job;wait'= {
        }
        &'devinit;help;job;stop'= {
        }
        &'devinit;help;job;retry'= {
        }
        &'devinit;help;entrypoints'= {
        }
        &'devinit;help;check'= {
        }
        &'devinit;help;plan'= {
        }
        &'devinit;help;schema'= {
        }
        &'devinit;help;analyze'= {
        }
        &'devinit;help;greet'= {
        }
        &'devinit;help;try'= {
        }
        &'devinit;help;completions'= {
        }
        &'devinit;help;man'= {
        }
        &'devinit;help;help'= {
        }
    ]
    $completions[$command]
}
