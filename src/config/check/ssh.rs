//! The section `ssh`.

use std::net::IpAddr;

use super::super::expand::is_variable_name;
use super::super::model::Ssh;
use super::{Check, Place};

impl Check<'_> {
    pub(super) fn ssh(&mut self, ssh: &Ssh) {
        let place = Place::of(&["ssh"]);
        self.port(ssh.port, &place.key("port"));
        self.field(&ssh.host_keys, &place.key("host_keys"));
        for (index, address) in ssh.listen.iter().enumerate() {
            let host = |name: &str| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            };
            if address.parse::<IpAddr>().is_err() && !host(address) {
                self.error(&self.item(&place.key("listen"), index), "expected an address without a port")
                    .hint("the port is set by `ssh.port`");
            }
        }
        let deny = place.key("environment").key("deny");
        for (index, pattern) in ssh.environment.deny.iter().enumerate() {
            if !is_variable_name(&pattern.replace('*', "x")) {
                self.error(
                    &self.item(&deny, index),
                    "expected the name of a variable, in which `*` stands for any characters",
                );
            }
        }
    }
}
