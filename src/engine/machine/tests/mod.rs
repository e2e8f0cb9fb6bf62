mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use nix::libc::SIGTERM;

use crate::engine::spec::{Kind, Restart, Service};

/// A daemon that is ready at once.
fn service(name: &str) -> Service {
    Service {
        name: name.to_owned(),
        kind: Kind::Daemon,
        command: vec![name.to_owned()],
        environment: BTreeMap::new(),
        directory: None,
        identity: None,
        umask: None,
        foreground: false,
        after: Vec::new(),
        settled: Vec::new(),
        stands_in_for: None,
        ready: None,
        restart: Restart::Always,
        give_up_after: None,
        stop_order: 0,
        stop_signal: SIGTERM,
        stop_timeout: Duration::from_secs(5),
    }
}
