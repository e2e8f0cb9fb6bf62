//! The devinit binary: parse, dispatch, exit code.

use std::process::exit;

use clap::{CommandFactory, Parser};
use devinit::cli::{self, Cli, Command, Internal};
use devinit::commands::{self, Verb, print};
use devinit::greeting::Moment;
use devinit::{attempt, boot, completions, config, first_run, greeting, job, logs, own, then_shell, words};

fn main() {
    // The ENTRYPOINT's form, which is all there is between the container's start and its main command: clap would
    // need longer to build the whole command line than the rest takes.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "--") {
        let main = words.map(|word| word.to_string_lossy().into_owned()).collect();
        boot::boot(&cli::Boot { main, ..cli::Boot::default() });
    }
    exit(command());
}

/// Every other form of the command line. Apart, so that the way to the main command is a short one.
#[inline(never)]
fn command() -> i32 {
    if let Some(hint) = unknown_command() {
        eprintln!("{hint}");
        return 2;
    }
    let arguments = Cli::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        if let Some(hint) = cli::run_hint(&words).filter(|_| error.use_stderr()) {
            eprintln!("  hint: {hint}");
        }
        exit(error.exit_code())
    });
    match arguments.command {
        // On a machine at large this would set up users and sshd, which nobody means who only types the name.
        None if arguments.main.is_empty() && std::process::id() != 1 => {
            let _ = Cli::command().print_help();
            2
        }
        None => boot::boot(&cli::Boot { main: arguments.main, ..cli::Boot::default() }),
        Some(Command::Boot(options)) => boot::boot(&options),
        Some(Command::FirstRun(options)) => first_run::command::first_run(&options),
        Some(Command::Health(options)) => commands::health(&options),
        Some(Command::Status(options)) => commands::status(&options),
        Some(Command::Start(named)) => commands::control(Verb::Start, &named),
        Some(Command::Stop(named)) => commands::control(Verb::Stop, &named),
        Some(Command::Restart(named)) => commands::control(Verb::Restart, &named),
        Some(Command::Logs(options)) => logs::logs(&options),
        Some(Command::Reload(options)) => commands::reload(&options),
        Some(Command::Job(options)) => job::command::job(&options),
        Some(Command::Entrypoints(options)) => commands::entrypoints(&options),
        Some(Command::Check(options)) => commands::check(&options),
        Some(Command::Plan(options)) => commands::print_plan(&options),
        Some(Command::Schema) => print(&config::schema_text()),
        Some(Command::Analyze(options)) => commands::analyze(&options),
        Some(Command::Greet(options)) => {
            print(&greeting::text(if options.boot { Moment::Boot } else { Moment::Login }))
        }
        Some(Command::Try(options)) => attempt::run(&options),
        Some(Command::Completions { shell }) => print(&completions::script(shell)),
        Some(Command::Man) => print(&cli::manual()),
        Some(Command::Internal(Internal::FetchKeys(options))) => own::fetch_keys(&options),
        Some(Command::Internal(Internal::Page { port, address })) => own::page(port, address),
        Some(Command::Internal(Internal::ThenShell { name, main })) => then_shell::run(&name, &main),
        Some(Command::Internal(Internal::Names { of })) => commands::names(of),
    }
}

/// What to say to someone whose first word is no command of ours: a slip, or a main command without the dashes.
fn unknown_command() -> Option<String> {
    let word = std::env::args_os().nth(1)?.to_string_lossy().into_owned();
    if word.starts_with('-') {
        return None;
    }
    let commands = Cli::command();
    let names: Vec<&str> = commands.get_subcommands().map(clap::Command::get_name).chain(["help"]).collect();
    if names.contains(&word.as_str()) {
        return None;
    }
    let hint = match words::nearest(&word, names.iter().copied()) {
        Some(name) => format!("did you mean `devinit {name}`?"),
        None => {
            format!("to run it as the main command, write `devinit -- {word} …`; `devinit --help` lists the commands")
        }
    };
    Some(format!("devinit: there is no command `{word}`\n  hint: {hint}"))
}
