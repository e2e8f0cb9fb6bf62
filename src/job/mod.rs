//! Long jobs: `devinit job run NAME -- CMD…`, and everything that looks at one.
//!
//! A job is three kinds of files in a folder that may be shared by several containers, over NFS as well:
//!
//! - `NAME.status`: how the last run of this name stands ([`Status`]), as JSON; always whole, for it is replaced by a
//!   rename;
//! - `NAME-TIMESTAMP.jsonl`: the log of one run ([`log`]), a JSON object in each line;
//! - `NAME.stop`: somebody wants it to end. Its runner looks for this with each heartbeat, so that a job in another
//!   container can be ended, too.
//!
//! There is no daemon and no lock that is held: a job runs if its status says so and either its runner is alive (seen from
//! the same container) or has renewed the status lately (seen from another one). What has not is *lost* ([`instance`]).
//!
//! A run has two processes beside the command, so that the death of one costs nothing ([`runner`]): the worker, which is the
//! command's parent, reads what it prints and writes the files; and above it the guard, which takes over all of this when
//! the worker is killed.
//!
//! ```text
//! devinit job run ── guard ─┬─ worker ── CMD ── …
//!                           └─ (the pipes' other holder, and the next parent of CMD)
//! ```

pub mod claim;
pub mod command;
pub mod folder;
pub mod instance;
pub mod log;
pub mod name;
pub mod place;
pub mod progress;
pub mod retention;
pub mod runner;
pub mod status;
pub mod views;

pub use folder::{Folder, Seen};
pub use instance::Standing;
pub use name::Name;
pub use place::Place;
pub use status::{Progress, State, Status, Time};

use std::time::Duration;

/// How often a runner renews the status of a job that prints nothing, writes a heartbeat into its log, and looks whether
/// somebody wants it to end.
pub const HEARTBEAT: Duration = Duration::from_secs(10);
/// The least time between two writes of a status while the job prints.
pub const BETWEEN_WRITES: Duration = Duration::from_secs(1);
/// A job of another container whose status was not renewed for so long is lost: several heartbeats, and time for a slow
/// server.
pub const LOST_AFTER: Duration = Duration::from_secs(60);
