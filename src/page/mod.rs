//! devinit's own page on the app's port, while there is no app to answer there.
//!
//! The page is public: whoever reaches the port sees it. So [`PageData`] holds only what may be seen by anyone, and
//! what is not in it cannot be shown: no note's text (it may name paths), no user's name, no environment, no log line.
//! Of a first run there are the names of its steps, their states and percentages.

mod cache;
mod connection;
mod data;
mod html;
mod request;
mod response;
mod server;

pub use data::{PageData, ServiceLine, Ssh, State, StepLine};
pub use html::html;
pub use server::{bind, serve};

/// The page for programs.
#[must_use]
pub fn json(data: &PageData) -> serde_json::Value {
    serde_json::to_value(data).unwrap_or_default()
}
