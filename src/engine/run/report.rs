//! What the log says about services.

use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use crate::engine::machine::{End, Id, Machine, Next, Report};

/// Nobody wants to know of a shorter pause.
const AT_ONCE: Duration = Duration::from_millis(10);

/// Says it.
pub(super) fn report(machine: &Machine, report: Report) {
    let name = |id: Id| machine.service(id).map_or("?", |service| service.name.as_str());
    match report {
        Report::Ready(id, took) => info!("{} is ready after {}", name(id), seconds(took)),
        // A main command that ran says by its exit code all that is to be said.
        Report::Ended(id, End::Code(_) | End::Signal(_), Next::GivenUp)
            if machine.service(id).is_some_and(|service| service.foreground) => {}
        Report::Ended(id, End::NotExecuted(_, why), Next::GivenUp) => error!("{}: {why}", name(id)),
        Report::Ended(id, end, Next::Restart(_)) => {
            match machine.pause_left(id, Instant::now()).filter(|left| *left > AT_ONCE) {
                Some(left) => warn!("{} ended ({end}) and is started again in {}", name(id), seconds(left)),
                None => warn!("{} ended ({end}) and is started again", name(id)),
            }
        }
        Report::Ended(id, end, Next::Later) => {
            warn!("{} ended ({end}) and is started again when it is due the next time", name(id));
        }
        Report::Ended(id, end, Next::Nothing) => info!("{} ended ({end})", name(id)),
        Report::Ended(id, end, Next::GivenUp) => error!("{} ended ({end}) and is not started again", name(id)),
        Report::NotReady(id, took) => warn!("{} is not ready after {} and is stopped", name(id), seconds(took)),
        Report::StopTimeout(id, took) => {
            warn!("{} did not end {} after it was asked to and is killed", name(id), seconds(took));
        }
        Report::NotAlive(id, Duration::ZERO) => warn!("{} says that it is not well and is stopped", name(id)),
        Report::NotAlive(id, took) => {
            warn!("{} has not said for {} that it is alive and is stopped", name(id), seconds(took));
        }
        Report::FinishTimeout(id) => warn!("the finish command of {} took too long and is killed", name(id)),
        Report::RunTimeout(id, took) => warn!("{} has not ended after {} and is stopped", name(id), seconds(took)),
        Report::StillRuns(id) => warn!("{} is due, and still runs", name(id)),
        Report::Shutdown(reason) => info!("{reason}: shutting down"),
        Report::Killing(why) => warn!("{why} and are killed"),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
