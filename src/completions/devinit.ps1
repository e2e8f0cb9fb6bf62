
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'devinit' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'devinit'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'devinit' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('boot', 'boot', [CompletionResultType]::ParameterValue, 'Boot: as PID 1, or as a subreaper where something else is')
            [CompletionResult]::new('first-run', 'first-run', [CompletionResultType]::ParameterValue, 'Install what is still to be installed of the first run; safe to repeat, goes on where it was cut off')
            [CompletionResult]::new('health', 'health', [CompletionResultType]::ParameterValue, 'Whether the container is well: exit code 0 yes, 1 no, 2 cannot tell')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'How the container stands: services, the first run, users, keys, ports')
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Run services, and forget their failures')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'End services and leave them so')
            [CompletionResult]::new('restart', 'restart', [CompletionResultType]::ParameterValue, 'End services and run them again')
            [CompletionResult]::new('reload', 'reload', [CompletionResultType]::ParameterValue, 'Read the config again, show what changed, and touch only that')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'What services have printed: the last lines, and with -f what comes')
            [CompletionResult]::new('job', 'job', [CompletionResultType]::ParameterValue, 'Run long commands with a status file and a log, and see from anywhere how they stand')
            [CompletionResult]::new('entrypoints', 'entrypoints', [CompletionResultType]::ParameterValue, 'The entrypoints to choose from by DEVINIT_ENTRYPOINT')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check configs; exit code 0 when they are right, 1 when not')
            [CompletionResult]::new('plan', 'plan', [CompletionResultType]::ParameterValue, 'Print what a boot would do, and do nothing')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the config''s JSON Schema')
            [CompletionResult]::new('analyze', 'analyze', [CompletionResultType]::ParameterValue, 'Where the time of this boot and of the first run went, slowest first')
            [CompletionResult]::new('greet', 'greet', [CompletionResultType]::ParameterValue, 'Print the greeting of login shells')
            [CompletionResult]::new('try', 'try', [CompletionResultType]::ParameterValue, 'Boot in namespaces of this machine over a throw-away copy of its files, to try a config without an image')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print completions for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'devinit;boot' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config, instead of /etc/devinit/config.yaml')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;first-run' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config, instead of /etc/devinit/config.yaml')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'For whom, by name or uid, instead of first_run.user')
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Only this step with its parts, and what it needs (may be given several times)')
            [CompletionResult]::new('--download-only', '--download-only', [CompletionResultType]::ParameterName, 'Fill this folder with what the steps download, for machines like this one, and install nothing')
            [CompletionResult]::new('--bundle', '--bundle', [CompletionResultType]::ParameterName, 'Install from a folder that --download-only has filled, without a network')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Do again what is done, so that `latest` is looked up anew: the steps of --only, or all of them')
            [CompletionResult]::new('--plan', '--plan', [CompletionResultType]::ParameterName, 'Print what is done and what is to do, and change nothing')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Events as lines of JSON; with --plan, one JSON document')
            [CompletionResult]::new('--boot', '--boot', [CompletionResultType]::ParameterName, 'As the boot does it: quiet lines, whatever the output is')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'devinit;health' {
            [CompletionResult]::new('--live', '--live', [CompletionResultType]::ParameterName, 'Only whether devinit answers')
            [CompletionResult]::new('--ready', '--ready', [CompletionResultType]::ParameterName, 'Also whether everything that was to start is ready')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'As JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;status' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait, such as 90s or 10m')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'As JSON')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until nothing is pending; exit code 1 if something failed')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;start' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait, such as 90s or 10m')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until it is ready or has ended, and say why if it fails')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;stop' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait, such as 90s or 10m')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until it is ready or has ended, and say why if it fails')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;restart' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait, such as 90s or 10m')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait until it is ready or has ended, and say why if it fails')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;reload' {
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Only show what would change')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'As JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;logs' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'How many lines of each service')
            [CompletionResult]::new('--lines', '--lines', [CompletionResultType]::ParameterName, 'How many lines of each service')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Go on with what is printed from now on, until Ctrl-C')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on with what is printed from now on, until Ctrl-C')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'As lines of JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;job' {
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run a command, and keep a status file and a log of it')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'How a job stands, in one line; without a name all of them')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'All jobs as a table, the latest first')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'What a job has printed, without a number of lines all of it')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until a job has ended')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'End a job with all that it started: SIGTERM, then SIGKILL')
            [CompletionResult]::new('retry', 'retry', [CompletionResultType]::ParameterValue, 'Run the command of an earlier job again, in its folder and with its name')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'devinit;job;run' {
            [CompletionResult]::new('--queue', '--queue', [CompletionResultType]::ParameterName, 'Wait for a job that runs, instead of refusing: for the one of this name, or with `=JOB` for another one')
            [CompletionResult]::new('--ansi', '--ansi', [CompletionResultType]::ParameterName, 'What becomes of escape sequences (colours) in the log')
            [CompletionResult]::new('--stop-timeout', '--stop-timeout', [CompletionResultType]::ParameterName, 'How long it may take to end after SIGTERM before SIGKILL, such as 30s')
            [CompletionResult]::new('--chdir', '--chdir', [CompletionResultType]::ParameterName, 'The working folder of the command, instead of this one')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Begin it in the background and return')
            [CompletionResult]::new('--detach', '--detach', [CompletionResultType]::ParameterName, 'Begin it in the background and return')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print nothing of what the job prints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print nothing of what the job prints')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'devinit;job;status' {
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'As JSON: the status file, with what is known beyond it')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'devinit;job;list' {
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'As a JSON array')
            [CompletionResult]::new('--running', '--running', [CompletionResultType]::ParameterName, 'Only those that run')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;job;logs' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Only the last N lines, after all other selection')
            [CompletionResult]::new('--tail', '--tail', [CompletionResultType]::ParameterName, 'Only the last N lines, after all other selection')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only what was printed in the last 10m, or since 2026-01-31, 2026-01-31T12:00 or 2026-01-31T12:00:00Z')
            [CompletionResult]::new('--grep', '--grep', [CompletionResultType]::ParameterName, 'Only lines that contain this')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'How many lines around those of --errors and --grep; without it 2 with --errors, and 0 with --grep')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'How many lines around those of --errors and --grep; without it 2 with --errors, and 0 with --grep')
            [CompletionResult]::new('--stream', '--stream', [CompletionResultType]::ParameterName, 'Only this stream: stdout or stderr')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Go on with what is printed from now on, until the job ends')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on with what is printed from now on, until the job ends')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, '--grep without regard to upper and lower case')
            [CompletionResult]::new('--ignore-case', '--ignore-case', [CompletionResultType]::ParameterName, '--grep without regard to upper and lower case')
            [CompletionResult]::new('--errors', '--errors', [CompletionResultType]::ParameterName, 'Only lines that look like errors')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'With the time in front, in UTC')
            [CompletionResult]::new('--time', '--time', [CompletionResultType]::ParameterName, 'With the time in front, in UTC')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The records of these lines as they are in the log; with -f also that of the job''s end')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'The very bytes that the job printed, as far as the log has them')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;job;wait' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait, such as 90s or 2h; without it as long as it takes')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print the job''s status as JSON when it has ended')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'devinit;job;stop' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait for its end, such as 90s')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names')
            [CompletionResult]::new('--kill', '--kill', [CompletionResultType]::ParameterName, 'SIGKILL at once')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print the job''s status as JSON when it has ended')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'devinit;job;retry' {
            [CompletionResult]::new('--queue', '--queue', [CompletionResultType]::ParameterName, 'Wait for a job that runs, instead of refusing: for the one of this name, or with `=JOB` for another one')
            [CompletionResult]::new('--ansi', '--ansi', [CompletionResultType]::ParameterName, 'What becomes of escape sequences (colours) in the log')
            [CompletionResult]::new('--stop-timeout', '--stop-timeout', [CompletionResultType]::ParameterName, 'How long it may take to end after SIGTERM before SIGKILL, such as 30s')
            [CompletionResult]::new('--directory', '--directory', [CompletionResultType]::ParameterName, 'The folder of jobs, instead of what `DEVINIT_JOBS` or the config''s `jobs.directory` names')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Begin it in the background and return')
            [CompletionResult]::new('--detach', '--detach', [CompletionResultType]::ParameterName, 'Begin it in the background and return')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print nothing of what the job prints')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print nothing of what the job prints')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'devinit;job;help' {
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run a command, and keep a status file and a log of it')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'How a job stands, in one line; without a name all of them')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'All jobs as a table, the latest first')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'What a job has printed, without a number of lines all of it')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until a job has ended')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'End a job with all that it started: SIGTERM, then SIGKILL')
            [CompletionResult]::new('retry', 'retry', [CompletionResultType]::ParameterValue, 'Run the command of an earlier job again, in its folder and with its name')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'devinit;job;help;run' {
            break
        }
        'devinit;job;help;status' {
            break
        }
        'devinit;job;help;list' {
            break
        }
        'devinit;job;help;logs' {
            break
        }
        'devinit;job;help;wait' {
            break
        }
        'devinit;job;help;stop' {
            break
        }
        'devinit;job;help;retry' {
            break
        }
        'devinit;job;help;help' {
            break
        }
        'devinit;entrypoints' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config, instead of /etc/devinit/config.yaml')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'As JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;check' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;plan' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config, instead of /etc/devinit/config.yaml')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'As JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;schema' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;analyze' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'As JSON')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'devinit;greet' {
            [CompletionResult]::new('--boot', '--boot', [CompletionResultType]::ParameterName, 'The greeting of the container''s log: with the host keys'' fingerprints')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;try' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The config, instead of one that devinit brings along for this')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Keep what the container writes in this folder, and begin from it the next time')
            [CompletionResult]::new('--ssh-port', '--ssh-port', [CompletionResultType]::ParameterName, 'The port of sshd on 127.0.0.1')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;man' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'devinit;help' {
            [CompletionResult]::new('boot', 'boot', [CompletionResultType]::ParameterValue, 'Boot: as PID 1, or as a subreaper where something else is')
            [CompletionResult]::new('first-run', 'first-run', [CompletionResultType]::ParameterValue, 'Install what is still to be installed of the first run; safe to repeat, goes on where it was cut off')
            [CompletionResult]::new('health', 'health', [CompletionResultType]::ParameterValue, 'Whether the container is well: exit code 0 yes, 1 no, 2 cannot tell')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'How the container stands: services, the first run, users, keys, ports')
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Run services, and forget their failures')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'End services and leave them so')
            [CompletionResult]::new('restart', 'restart', [CompletionResultType]::ParameterValue, 'End services and run them again')
            [CompletionResult]::new('reload', 'reload', [CompletionResultType]::ParameterValue, 'Read the config again, show what changed, and touch only that')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'What services have printed: the last lines, and with -f what comes')
            [CompletionResult]::new('job', 'job', [CompletionResultType]::ParameterValue, 'Run long commands with a status file and a log, and see from anywhere how they stand')
            [CompletionResult]::new('entrypoints', 'entrypoints', [CompletionResultType]::ParameterValue, 'The entrypoints to choose from by DEVINIT_ENTRYPOINT')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check configs; exit code 0 when they are right, 1 when not')
            [CompletionResult]::new('plan', 'plan', [CompletionResultType]::ParameterValue, 'Print what a boot would do, and do nothing')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the config''s JSON Schema')
            [CompletionResult]::new('analyze', 'analyze', [CompletionResultType]::ParameterValue, 'Where the time of this boot and of the first run went, slowest first')
            [CompletionResult]::new('greet', 'greet', [CompletionResultType]::ParameterValue, 'Print the greeting of login shells')
            [CompletionResult]::new('try', 'try', [CompletionResultType]::ParameterValue, 'Boot in namespaces of this machine over a throw-away copy of its files, to try a config without an image')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print completions for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'devinit;help;boot' {
            break
        }
        'devinit;help;first-run' {
            break
        }
        'devinit;help;health' {
            break
        }
        'devinit;help;status' {
            break
        }
        'devinit;help;start' {
            break
        }
        'devinit;help;stop' {
            break
        }
        'devinit;help;restart' {
            break
        }
        'devinit;help;reload' {
            break
        }
        'devinit;help;logs' {
            break
        }
        'devinit;help;job' {
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run a command, and keep a status file and a log of it')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'How a job stands, in one line; without a name all of them')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'All jobs as a table, the latest first')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'What a job has printed, without a number of lines all of it')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until a job has ended')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'End a job with all that it started: SIGTERM, then SIGKILL')
            [CompletionResult]::new('retry', 'retry', [CompletionResultType]::ParameterValue, 'Run the command of an earlier job again, in its folder and with its name')
            break
        }
        'devinit;help;job;run' {
            break
        }
        'devinit;help;job;status' {
            break
        }
        'devinit;help;job;list' {
            break
        }
        'devinit;help;job;logs' {
            break
        }
        'devinit;help;job;wait' {
            break
        }
        'devinit;help;job;stop' {
            break
        }
        'devinit;help;job;retry' {
            break
        }
        'devinit;help;entrypoints' {
            break
        }
        'devinit;help;check' {
            break
        }
        'devinit;help;plan' {
            break
        }
        'devinit;help;schema' {
            break
        }
        'devinit;help;analyze' {
            break
        }
        'devinit;help;greet' {
            break
        }
        'devinit;help;try' {
            break
        }
        'devinit;help;completions' {
            break
        }
        'devinit;help;man' {
            break
        }
        'devinit;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
