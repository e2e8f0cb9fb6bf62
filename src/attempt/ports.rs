//! The ports, which the container shares with the machine.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

/// A port and how to choose another one.
pub struct Port {
    /// The number, 1 to 65535.
    pub number: u16,
    /// What it is for.
    pub purpose: &'static str,
    /// What the user can do if it is taken.
    pub remedy: &'static str,
}

/// Checks that nobody listens on them, on 127.0.0.1 or on all addresses.
///
/// # Errors
/// Names the port that is taken, and what to do.
pub fn check_free(ports: &[Port]) -> Result<()> {
    for (index, Port { number, purpose, remedy }) in ports.iter().enumerate() {
        if *number == 0 {
            bail!("port 0 is no port for {purpose}: {remedy}");
        }
        if ports.iter().take(index).any(|other| other.number == *number) {
            bail!("port {number} is wanted twice: {remedy}");
        }
        if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, *number)) {
            bail!("port {number} on 127.0.0.1 for {purpose} cannot be had ({error}): {remedy}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;

    fn port(number: u16) -> Port {
        Port { number, purpose: "SSH", remedy: "choose another one" }
    }

    #[test]
    fn a_port_that_someone_listens_on_is_named_with_the_remedy() {
        for address in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
            let Ok(taken) = TcpListener::bind((address, 0)) else { continue };
            let number = taken.local_addr().unwrap().port();
            let message = check_free(&[port(number)]).unwrap_err().to_string();
            assert!(message.contains(&number.to_string()), "{message}");
            assert!(message.ends_with("choose another one"), "{message}");
        }
    }

    #[test]
    fn two_purposes_cannot_share_a_port_and_none_can_have_port_0() {
        let number = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        assert!(check_free(&[port(number), port(number)]).unwrap_err().to_string().contains("twice"));
        assert!(check_free(&[port(0)]).is_err());
    }
}
