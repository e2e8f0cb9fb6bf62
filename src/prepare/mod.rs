//! Gets the container ready: accounts, keys, sshd's config, environment. Runs in a child of PID 1.

pub mod accounts;
mod carry_out;
pub mod environment;
pub mod home;
pub mod host_keys;
pub mod keys;
pub mod password;
pub mod sshd;
pub mod write;

pub use carry_out::{Occasion, carry_out, foresee, write_user_keys};
