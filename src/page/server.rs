//! The server: one thread, and no wake-up while nobody asks.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind as bind_socket, listen, setsockopt, socket,
    sockopt,
};

use super::cache::Cache;
use super::connection::{Connection, Fate, prepare_listener};
use super::data::PageData;

/// The most connections at a time; further clients wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// A listener for [`serve`] on all addresses, of IPv4 only where there is no IPv6, or on a given one.
///
/// # Errors
/// The port is taken, or the address is not this machine's.
pub fn bind(address: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    let both = [IpAddr::from(Ipv6Addr::UNSPECIFIED), IpAddr::from(Ipv4Addr::UNSPECIFIED)];
    let addresses = address.as_ref().map_or(&both[..], std::slice::from_ref);
    let mut last = Errno::EADDRNOTAVAIL;
    for address in addresses {
        match try_bind(SocketAddr::new(*address, port)) {
            Ok(listener) => return Ok(listener),
            // IPv4 may be free where both together are not, but then somebody else is there.
            Err(Errno::EADDRINUSE) => return Err(Errno::EADDRINUSE.into()),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

fn try_bind(address: SocketAddr) -> Result<TcpListener, Errno> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&listener, sockopt::ReuseAddr, &true)?;
    prepare_listener(&listener)?;
    if address.is_ipv6() {
        setsockopt(&listener, sockopt::Ipv6V6Only, &!address.ip().is_unspecified())?;
    }
    bind_socket(listener.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&listener, Backlog::new(128)?)?;
    Ok(TcpListener::from(listener))
}

/// Answers for as long as the process lives; made to be ended by a signal. `fetch` is called at most once a second,
/// and only when somebody asks.
///
/// # Errors
/// The listener does not come from [`bind`], or the kernel is out of descriptors or memory.
pub fn serve(listener: &TcpListener, fetch: &mut dyn FnMut() -> PageData) -> io::Result<Infallible> {
    let mut cache = Cache::new(fetch);
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let events = wait(listener, &connections)?;
        let now = Instant::now();
        connections = advance(connections, &events, &mut cache, now);
        if events.accept {
            accept(listener, &mut connections, now)?;
        }
    }
}

/// What happened.
struct Events {
    /// Somebody wants to come in.
    accept: bool,
    /// For each connection whether there is something to do.
    connections: Vec<bool>,
}

fn wait(listener: &TcpListener, connections: &[Connection]) -> io::Result<Events> {
    let full = room(connections) == 0;
    let timeout = match connections.iter().map(Connection::deadline).min() {
        Some(deadline) => timeout(deadline.saturating_duration_since(Instant::now())),
        None => PollTimeout::NONE,
    };
    // The listener stays in its place when it is not asked for; a connection that waits for time only has none.
    let door = if full { PollFlags::empty() } else { PollFlags::POLLIN };
    let mut polled = vec![PollFd::new(listener.as_fd(), door)];
    polled.extend(connections.iter().filter_map(Connection::interest).map(|(fd, flags)| PollFd::new(fd, flags)));
    match poll(&mut polled, timeout) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(Events { accept: false, connections: vec![false; connections.len()] }),
        Err(error) => return Err(error.into()),
    }
    let mut happened = polled.iter().map(|polled| polled.any().unwrap_or(true));
    let accept = happened.next().unwrap_or(false);
    let connections = connections
        .iter()
        .map(|connection| connection.interest().is_some() && happened.next().unwrap_or(false))
        .collect();
    Ok(Events { accept, connections })
}

/// In whole milliseconds, rounded up: a wait that ends too early would be repeated without use.
fn timeout(wait: Duration) -> PollTimeout {
    let millis = i32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}

/// Goes on with the connections that can, and ends those whose time is over.
fn advance(connections: Vec<Connection>, events: &Events, cache: &mut Cache<'_>, now: Instant) -> Vec<Connection> {
    let mut kept = Vec::with_capacity(connections.len());
    for (mut connection, happened) in connections.into_iter().zip(&events.connections) {
        if *happened && connection.advance(cache, now) == Fate::Drop {
            continue;
        }
        if connection.deadline() <= now {
            connection.expire();
        } else {
            kept.push(connection);
        }
    }
    kept
}

/// How many more clients may come in: those that are done make room.
fn room(connections: &[Connection]) -> usize {
    CONNECTIONS.saturating_sub(connections.iter().filter(|connection| !connection.is_closed()).count())
}

fn accept(listener: &TcpListener, connections: &mut Vec<Connection>, now: Instant) -> io::Result<()> {
    for _ in 0..room(connections) {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // The client is gone already, or the network is (accept(2) passes on its errors).
            Err(error) if is_client_s(&error) => continue,
            Err(error) => return Err(error),
        };
        if connections.len() >= CONNECTIONS
            && let Some(closed) = connections.iter().position(Connection::is_closed)
        {
            connections.remove(closed);
        }
        if stream.set_nonblocking(true).is_ok() {
            connections.push(Connection::new(stream, now));
        }
    }
    Ok(())
}

fn is_client_s(error: &io::Error) -> bool {
    use Errno::{ECONNABORTED, EHOSTDOWN, EHOSTUNREACH, EINTR, ENETDOWN, ENETUNREACH, ENOPROTOOPT, EPERM, EPROTO};
    let errors = [ECONNABORTED, EHOSTDOWN, EHOSTUNREACH, EINTR, ENETDOWN, ENETUNREACH, ENOPROTOOPT, EPERM, EPROTO];
    error.raw_os_error().is_some_and(|number| errors.contains(&Errno::from_raw(number)))
}
