//! What devinit runs for itself, as services of the plan.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::engine::run::Purpose;
use crate::machine::Machine;
use crate::page::{self, PageData};
use crate::plan::User;
use crate::prepare::keys;
use crate::{boot, cli, fetch, log, outlook, paths, prepare, status};

/// The pause after the first round in which some keys could not be fetched; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two rounds.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How many rounds there are: about half an hour in all.
const ROUNDS: u32 = 36;
/// How long one fetch may take.
const FETCH_LIMIT: Duration = Duration::from_secs(20);

/// Fetches the authorized keys that come from URLs and adds them to those that are there.
#[must_use]
pub fn fetch_keys(config: &cli::Config) -> i32 {
    log::init(tracing::Level::INFO);
    let runtime = Some(paths::runtime());
    let Ok(plan) = boot::make_plan(config, &[], boot::environment(), runtime, Purpose::Boot) else { return 1 };
    let Some(folder) = &plan.keys_folder else { return 0 };
    let mut users = plan.users;
    let mut pause = FIRST_PAUSE;
    for round in 0..ROUNDS {
        for user in users.iter_mut().filter(|user| !user.remote.is_empty()) {
            let mut missing = Vec::new();
            for url in std::mem::take(&mut user.remote) {
                match fetch::text(&url, keys::MAX_TEXT, FETCH_LIMIT) {
                    Ok(text) => {
                        let parsed = keys::parse(&text, &fetch::redacted(&url));
                        parsed.notes.iter().for_each(|note| warn!("{}", note.text));
                        let count = parsed.keys.len();
                        keys::add(&mut user.keys, parsed.keys);
                        info!("{count} keys for {} from {}", user.account.name, fetch::redacted(&url));
                    }
                    Err(error) => {
                        if round == 0 {
                            warn!("keys for {} are missing, trying again: {error:#}", user.account.name);
                        }
                        missing.push(url);
                    }
                }
            }
            user.remote = missing;
            record_keys(user);
            if let Err(why) = prepare::write_user_keys(folder, user, &user.keys) {
                error!("the keys of {} could not be written: {why}", user.account.name);
            }
        }
        if users.iter().all(|user| user.remote.is_empty()) {
            return 0;
        }
        std::thread::sleep(pause);
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
    error!("some keys could not be fetched; restart the container to try again");
    1
}

/// Has `status` show all keys of a user.
fn record_keys(user: &User) {
    let runtime = paths::runtime();
    let Some(mut record) = status::record(&runtime) else { return };
    for known in record.users.iter_mut().filter(|known| known.name == user.account.name) {
        *known = user.record();
    }
    if let Err(error) = status::write_record(&runtime, &record) {
        warn!("{error}");
    }
}

/// Serves the status page until it is told to go.
#[must_use]
pub fn page(port: u16, address: Option<IpAddr>) -> i32 {
    log::init(tracing::Level::INFO);
    let served = page::bind(address, port).and_then(|listener| {
        let runtime = paths::runtime();
        page::serve(&listener, &mut || {
            let record = status::record(&runtime).unwrap_or_default();
            let machine = Machine::look(Path::new("/"), &|name| std::env::var(name).ok());
            let snapshot = status::snapshot(&runtime);
            let first_runs = outlook::first_run::look(&runtime, snapshot.as_ref());
            PageData::new(&record, snapshot.as_ref(), &machine).with_first_runs(&first_runs)
        })
    });
    match served {
        Ok(never) => match never {},
        Err(error) => {
            error!("the status page cannot be served on port {port}: {error}");
            1
        }
    }
}
