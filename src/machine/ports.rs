//! Who listens on which TCP port of this network namespace, from `/proc/net/tcp` and `tcp6`.
//!
//! These files are dear: behind the listeners the kernel looks for connections in a table of the whole machine's,
//! which takes it milliseconds even if it is empty. So they are read line by line and only as far as there is need.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::read;
use crate::sorted;

/// The most that is read of each table, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// How long a line of these tables is, in bytes; that of tcp6 may be longer. The kernel goes no further in its table
/// than what is asked for.
const LINE: usize = 150;

/// The kernel's number of the state LISTEN.
const LISTEN: &str = "0A";

/// All listeners, sorted; an IPv4 address that is written as IPv6 (`::ffff:127.0.0.1`) is an IPv4 address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listeners(pub Vec<SocketAddr>);

impl Listeners {
    /// Reads both tables below `root`.
    #[must_use]
    pub fn look(root: &Path) -> Self {
        let mut all: Vec<SocketAddr> = listeners(root).collect();
        sorted::sort(&mut all);
        all.dedup();
        Self(all)
    }

    /// As [`loopback_only`], among these.
    #[must_use]
    pub fn loopback_only(&self, port: u16) -> bool {
        on_loopback_only(self.0.iter().copied(), port)
    }

    /// The listeners that can be reached from outside the container on a port that is not one of these.
    #[must_use]
    pub fn exposed_besides(&self, ports: &[u16]) -> Vec<SocketAddr> {
        let exposed = |listener: &&SocketAddr| !listener.ip().is_loopback() && !ports.contains(&listener.port());
        self.0.iter().filter(exposed).copied().collect()
    }
}

/// Whether something listens on the port, but on loopback addresses only, so that it looks dead from outside. Reads no
/// further than to the first listener that can be reached.
#[must_use]
pub fn loopback_only(root: &Path, port: u16) -> bool {
    on_loopback_only(listeners(root), port)
}

fn on_loopback_only(listeners: impl Iterator<Item = SocketAddr>, port: u16) -> bool {
    let mut found = false;
    for listener in listeners.filter(|listener| listener.port() == port) {
        if !listener.ip().is_loopback() {
            return false;
        }
        found = true;
    }
    found
}

/// The listeners in both tables, read as they are asked for.
fn listeners(root: &Path) -> impl Iterator<Item = SocketAddr> {
    let tables = ["proc/net/tcp", "proc/net/tcp6"].map(|table| root.join(table));
    tables.into_iter().filter_map(|table| read::open(&table)).flat_map(table_listeners)
}

/// The listeners in one table. They come before the connections; lines that do not look as they should are skipped.
fn table_listeners(table: impl Read) -> impl Iterator<Item = SocketAddr> {
    let lines = BufReader::with_capacity(LINE, table.take(LIMIT)).lines().map_while(Result::ok);
    lines.take_while(|line| !is_connection(line)).filter_map(|line| listener(&line))
}

fn is_connection(line: &str) -> bool {
    let state = line.split_ascii_whitespace().nth(3);
    state.is_some_and(|state| state != LISTEN && state.len() == 2 && u8::from_str_radix(state, 16).is_ok())
}

/// The local address of a line, if it is a listener's: `  0: 0100007F:6987 00000000:0000 0A …`.
fn listener(line: &str) -> Option<SocketAddr> {
    let mut fields = line.split_ascii_whitespace();
    let (local, state) = (fields.nth(1)?, fields.nth(1)?);
    let (address, port) = local.split_once(':')?;
    let listens = state == LISTEN && port.len() == 4;
    listens.then_some(SocketAddr::new(parse_address(address)?, u16::from_str_radix(port, 16).ok()?))
}

/// An address as the kernel prints it: 32-bit words of network byte order, each as a number of the host's order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut octets = [0; 16];
            for (index, chunk) in octets.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8)?);
            }
            Some(Ipv6Addr::from(octets).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::TcpListener;

    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";

    fn table(rows: &[(&str, &str)]) -> Listeners {
        let rows = rows.iter().map(|(local, state)| format!("   0: {local} 00000000:0000 {state} 00000000:00000000\n"));
        let text = format!("{HEADER}{}", rows.collect::<String>());
        Listeners(table_listeners(text.as_bytes()).collect())
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let all = table(&[
            ("0100007F:6987", "0A"),
            ("00000000000000000000000000000000:0016", "0A"),
            ("0000000000000000FFFF00000100007F:1F90", "0A"),
            ("B80D0120000000000000000001000000:01BB", "0A"),
            ("020200C0:A26A", "06"),
        ]);
        let expected = ["127.0.0.1:27015", "[::]:22", "127.0.0.1:8080", "[2001:db8::1]:443"];
        assert_eq!(all.0, expected.map(|address| address.parse().unwrap()));
    }

    #[test]
    fn loopback_only_needs_a_listener_and_no_other_address() {
        let all = |list: &[&str]| Listeners(list.iter().map(|address| address.parse().unwrap()).collect());
        assert!(all(&["127.0.0.1:27015", "[::1]:27015", "0.0.0.0:22"]).loopback_only(27015));
        assert!(!all(&["127.0.0.1:27015", "10.0.0.2:27015"]).loopback_only(27015));
        assert!(!all(&["[::]:27015"]).loopback_only(27015));
        assert!(!all(&["127.0.0.1:22"]).loopback_only(27015));
    }

    #[test]
    fn docker_s_own_resolver_is_not_exposed() {
        let all = ["127.0.0.11:41255", "0.0.0.0:22", "[::]:27015", "172.17.0.2:6006"];
        let all = Listeners(all.map(|address| address.parse().unwrap()).to_vec());
        assert_eq!(all.exposed_besides(&[22, 27015]), ["172.17.0.2:6006".parse().unwrap()]);
    }

    #[test]
    fn a_real_listener_is_seen_in_the_real_table() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(Listeners::look(Path::new("/")).loopback_only(port));
        assert!(loopback_only(Path::new("/"), port));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn nothing_is_read_behind_the_first_connection() {
        let all = table(&[("0100007F:0001", "0A"), ("0100007F:0002", "01"), ("0100007F:0003", "0A")]);
        assert_eq!(all.0, ["127.0.0.1:1".parse().unwrap()]);
    }

    #[test]
    fn missing_and_truncated_tables_are_no_fault() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Listeners::look(root.path()), Listeners::default());
        fs::create_dir_all(root.path().join("proc/net")).unwrap();
        fs::write(root.path().join("proc/net/tcp"), format!("{HEADER}   0: 0100007F:69")).unwrap();
        assert_eq!(Listeners::look(root.path()), Listeners::default());
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_fail(line in "\\PC*", local in "[0-9A-Fa-f:é]{0,40}") {
            let _ = listener(&line);
            let _ = listener(&format!("0: {local} x 0A"));
            let _ = is_connection(&line);
        }
    }
}
