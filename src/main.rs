//! The devinit binary: parse, dispatch, exit code.

use std::io::{IsTerminal, Write};
use std::process::exit;
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use devinit::cli::{self, Cli, Command, Internal};
use devinit::config::{self, Sources};
use devinit::engine::control::{self, Answer, Query};
use devinit::first_run::analyze;
use devinit::greeting::Moment;
use devinit::health::{self, Question};
use devinit::status::{self, Status};
use devinit::{attempt, boot, first_run, greeting, logs, outlook, own, paths, plan};

fn main() {
    // The ENTRYPOINT's form, which is all there is between the container's start and its main command: clap would
    // need longer to build the whole command line than the rest takes.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "--") {
        let main = words.map(|word| word.to_string_lossy().into_owned()).collect();
        exit(boot::boot(&cli::Boot { main, ..cli::Boot::default() }));
    }
    if let Some(hint) = unknown_command() {
        eprintln!("{hint}");
        exit(2);
    }
    let arguments = Cli::parse();
    exit(match arguments.command {
        // On a machine at large this would set up users and sshd, which nobody means who only types the name.
        None if arguments.main.is_empty() && std::process::id() != 1 => {
            let _ = Cli::command().print_help();
            2
        }
        None => boot::boot(&cli::Boot { main: arguments.main, ..cli::Boot::default() }),
        Some(Command::Boot(options)) => boot::boot(&options),
        Some(Command::FirstRun(options)) => first_run::command::first_run(&options),
        Some(Command::Health(options)) => health(&options),
        Some(Command::Status(options)) => status(&options),
        Some(Command::Start(named)) => control(&Query::Start(named.service)),
        Some(Command::Stop(named)) => control(&Query::Stop(named.service)),
        Some(Command::Restart(named)) => control(&Query::Restart(named.service)),
        Some(Command::Logs(options)) => logs::logs(&options),
        Some(Command::Check(options)) => check(&options),
        Some(Command::Plan(options)) => print_plan(&options),
        Some(Command::Schema) => print(&config::schema_text()),
        Some(Command::Analyze(options)) => analyze(&options),
        Some(Command::Greet(options)) => {
            print(&greeting::text(if options.boot { Moment::Boot } else { Moment::Login }))
        }
        Some(Command::Try(options)) => attempt::run(&options),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "devinit", &mut std::io::stdout());
            0
        }
        Some(Command::Man) => clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout()).map_or(1, |()| 0),
        Some(Command::Internal(Internal::FetchKeys(options))) => own::fetch_keys(&options),
        Some(Command::Internal(Internal::Page { port, address })) => own::page(port, address),
    });
}

/// What to say to someone whose first word is no command of ours: a slip, or a main command without the dashes.
fn unknown_command() -> Option<String> {
    let word = std::env::args().nth(1).filter(|word| !word.starts_with('-'))?;
    let commands = Cli::command();
    let names: Vec<&str> = commands.get_subcommands().map(clap::Command::get_name).chain(["help"]).collect();
    if names.contains(&word.as_str()) {
        return None;
    }
    let near = names.iter().map(|name| (strsim::jaro_winkler(name, &word), *name)).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = match near {
        Some((likeness, name)) if likeness > 0.8 => format!("did you mean `devinit {name}`?"),
        _ => format!("to run it as the main command, write `devinit -- {word} …`; `devinit --help` lists the commands"),
    };
    Some(format!("devinit: there is no command `{word}`\n  hint: {hint}"))
}

/// Prints to a reader that may have gone, as in `devinit status | head -1`.
fn print(text: &str) -> i32 {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    0
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn health(options: &cli::Health) -> i32 {
    let question = match (options.live, options.ready) {
        (true, _) => Question::Live,
        (_, true) => Question::Ready,
        _ => Question::Healthy,
    };
    let verdict = health::check(question);
    if options.json {
        print(&pretty(&serde_json::json!(verdict)));
    } else {
        print(&format!("{}\n", verdict.reason));
    }
    verdict.exit_code()
}

fn status(options: &cli::Status) -> i32 {
    let deadline = Instant::now() + options.timeout;
    let mut status = Status::gather();
    while options.wait && status.pending() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
        status = Status::gather();
    }
    print(&if options.json { pretty(&serde_json::json!(status)) } else { status.text() });
    match &status.engine {
        None => 2,
        Some(_) if options.wait && (status.pending() || status.failed()) => 1,
        Some(_) => 0,
    }
}

fn analyze(options: &cli::Analyze) -> i32 {
    let runtime = paths::runtime();
    let engine = status::snapshot(&runtime);
    let runs: Vec<_> =
        outlook::first_run::look(&runtime, engine.as_ref()).into_iter().map(|run| run.progress).collect();
    if engine.is_none() && runs.is_empty() {
        eprintln!("devinit: no devinit answers in {}, and no first run has left a trace there", runtime.display());
        return 2;
    }
    print(&if options.json {
        pretty(&analyze::json(engine.as_ref(), &runs))
    } else {
        let color =
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        analyze::text(engine.as_ref(), &runs, color)
    })
}

fn control(query: &Query) -> i32 {
    let runtime = paths::runtime();
    match control::ask(&runtime, query, Duration::from_secs(5)) {
        Ok(Answer::Refused(why)) => {
            eprintln!("devinit: {why}");
            1
        }
        Ok(_) => 0,
        Err(error) => {
            eprintln!("devinit: no devinit answers in {}: {error}", runtime.display());
            2
        }
    }
}

fn check(options: &cli::Check) -> i32 {
    let environment = boot::environment();
    let all: Vec<Sources> = if options.files.is_empty() {
        vec![Sources::from_environment(None, &environment)]
    } else {
        options.files.iter().map(|file| Sources::only(file)).collect()
    };
    let mut code = 0;
    for sources in all {
        let problems = match config::load(&sources, &environment) {
            Ok(loaded) => {
                let files = loaded.files.iter().map(|file| format!("{}: ok\n", file.display()));
                print(&files.collect::<String>());
                loaded.warnings
            }
            Err(broken) => {
                code = 1;
                broken.problems
            }
        };
        for problem in problems {
            eprintln!("{problem}");
        }
    }
    code
}

fn print_plan(options: &cli::Plan) -> i32 {
    devinit::log::init(tracing::Level::WARN);
    let runtime = Some(paths::RUNTIME.into());
    match boot::make_plan(&options.config, &options.main, boot::environment(), runtime, None) {
        Ok(plan) if options.json => print(&pretty(&plan::json(&plan))),
        Ok(plan) => print(&plan::text(&plan)),
        Err(code) => code,
    }
}
