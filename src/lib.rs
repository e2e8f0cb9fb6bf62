//! devinit: the first process of a dev container.
//!
//! Three ideas carry the code. The config becomes a plan, and the plan is carried out ([`config`], [`plan`],
//! [`prepare`], [`engine`]). PID 1 stays small: everything that can fail runs in a child. The supervisor is a pure
//! state machine ([`engine::machine`]) in a thin shell.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod attempt;
pub mod boot;
pub mod cli;
pub mod commands;
pub mod completions;
pub mod config;
pub mod digest;
pub mod dropin;
pub mod engine;
pub mod fetch;
pub mod first_run;
pub mod greeting;
pub mod health;
pub mod job;
pub mod log;
pub mod logger;
pub mod logs;
pub mod machine;
pub mod note;
pub mod outlook;
pub mod own;
pub mod page;
pub mod paths;
pub mod plan;
pub mod prepare;
pub mod probe;
pub mod secret;
pub mod sorted;
pub mod status;
pub mod sys;
pub mod then_shell;
pub mod trust;
pub mod words;
