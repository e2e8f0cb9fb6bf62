//! The first run: what is installed the first time that a container, or a home, is used.
//!
//! # How it works
//! ```text
//! config ──resolve──▶ Tasks ──records──▶ those still to do ──scheduler──▶ a worker process for each ──▶ a record each
//! ```
//! - A step of the config becomes one or more [`Task`]s (`bun` and `bun.global`), each with the tasks that it needs.
//! - The coordinator (`runner`) holds the lock, drives the scheduler (a pure state machine) and shows progress. It forks
//!   a worker for each attempt at a task. The worker becomes the task's user for good, does the work through a [`Job`],
//!   and writes the task's [`Record`] as its last act. So what a user controls is only ever touched as that user.
//! - A record is keyed by the hash of what the task does, and lives beside what it installs. Done means that the record
//!   has the same key and that what it names is there. Everything else is done again, from what is left of the download.
//! - Whatever is installed is complete under another name before it is renamed into place, so a run can be killed at any
//!   instant.

pub mod analyze;
pub mod attempt;
pub mod certificates;
pub mod command;
pub mod installers;
pub mod job;
pub mod lock;
pub mod place;
pub mod progress;
pub mod record;
pub mod resolve;
pub mod runner;
pub mod scheduler;
pub mod show;
pub mod source;
pub mod space;
pub mod task;
pub mod trust;
pub mod worker;

pub use job::{Job, Report};
pub use progress::Progress;
pub use record::Record;
pub use task::{Installed, Installer, Owner, Place, Task};
