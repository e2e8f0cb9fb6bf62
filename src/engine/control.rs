//! The control socket: one packet asks, one packet answers.
//!
//! Packets (SOCK_SEQPACKET) rather than a stream: a request is there whole or not at all, so PID 1 keeps no buffer for
//! anyone. Whoever connects and says nothing holds a descriptor until someone else needs the place.
//!
//! A packet has a longest size, so what may grow beyond it is asked for in parts: the services of a snapshot
//! ([`Query::StatusFrom`]), and what tells whether one service is ready. What does not fit all the same is refused with a
//! reason.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, getsockopt, listen, recv, send,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;
use crate::probe::{Context, Probe};
use crate::sys;
use crate::words::clean;

/// The name of the socket in the runtime folder.
pub const SOCKET: &str = "control.sock";
/// The longest request, in bytes.
const LONGEST_REQUEST: usize = 4096;
/// The longest answer that a client takes, in bytes: the kernel's default for one packet.
const LONGEST_ANSWER: usize = 208 * 1024;
/// The longest answer that is sent, in bytes. Less than a client takes, so that PID 1 needs little memory for it, and
/// finds it in one piece in the kernel.
const LONGEST_SENT: usize = 128 * 1024;
/// How many packets a client asks for to have all services.
const MOST_PARTS: usize = 256;
/// The longest text that a client hears in a refusal, in characters.
const LONGEST_REFUSAL: usize = 2000;
/// How many clients are heard at a time.
const MOST_CLIENTS: usize = 32;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Query {
    /// How things stand. Open to everyone in the container.
    Status,
    /// The same, without this many services at the beginning: the rest of an answer that was cut.
    StatusFrom(usize),
    /// What tells whether this service is ready. As root, or as who devinit runs as.
    Probe(String),
    /// Run this service. As root, or as who devinit runs as.
    Start(String),
    /// End this service. As root, or as who devinit runs as.
    Stop(String),
    /// End this service and run it again. As root, or as who devinit runs as.
    Restart(String),
    /// Read the config again and do what follows from it: [`Snapshot::reload`] tells how far that is. As root, or as who
    /// devinit runs as.
    Reload {
        /// Only tell what would change.
        dry_run: bool,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// How things stand. If not all services fit into a packet, [`Snapshot::more`] tells how many are left out.
    Status(Snapshot),
    /// What tells whether the service is ready; nothing, if it is ready once it runs or says so itself.
    Probe(Option<(Probe, Context)>),
    /// It will be done.
    Accepted,
    /// It will not be done, and why.
    Refused(String),
}

/// PID 1's side.
pub struct Server {
    socket: OwnedFd,
    path: PathBuf,
    /// The longest silent one first, each with the uid of who connected.
    clients: VecDeque<(u32, OwnedFd)>,
    /// A descriptor that is given up for a client where there are no others: one that nobody takes in would stay at the
    /// door and wake us for ever.
    spare: Option<OwnedFd>,
}

impl Server {
    /// Listens in this folder.
    ///
    /// # Errors
    /// The folder cannot be written to; or another devinit listens there.
    pub fn listen(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        let address = UnixAddr::new(&path)?;
        let socket = seqpacket(SockFlag::SOCK_NONBLOCK)?;
        if let Err(error) = bind(socket.as_raw_fd(), &address) {
            if error != Errno::EADDRINUSE {
                return Err(error.into());
            }
            // Left over from a container that was killed and is started again, unless someone answers.
            if connect(seqpacket(SockFlag::empty())?.as_raw_fd(), &address).is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another devinit listens there"));
            }
            std::fs::remove_file(&path)?;
            bind(socket.as_raw_fd(), &address)?;
        }
        // Who may do what is decided by the peer's credentials, not by the file's mode.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))?;
        listen(&socket, Backlog::new(64)?)?;
        let spare = Some(socket.try_clone()?);
        Ok(Self { socket, path, clients: VecDeque::new(), spare })
    }

    /// The descriptors to watch for something to read: the listener's, then the clients'.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.socket.as_fd()).chain(self.clients.iter().map(|(_, client)| client.as_fd()))
    }

    /// Lets in one who waits at the door. Where there is no place, the longest silent one leaves of the user who has most
    /// of them: nobody can keep another user from being heard.
    pub fn accept(&mut self) {
        let mut client = sys::accept(&self.socket);
        if let Err(error) = &client
            && matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
            && (self.make_room() || self.spare.take().is_some())
        {
            client = sys::accept(&self.socket);
        }
        let Ok(client) = client else { return };
        if self.clients.len() >= MOST_CLIENTS {
            self.make_room();
        }
        self.clients.push_back((peer(&client).unwrap_or(u32::MAX), client));
    }

    fn make_room(&mut self) -> bool {
        let of = |uid: u32| self.clients.iter().filter(|(other, _)| *other == uid).count();
        let most = self.clients.iter().enumerate().max_by_key(|(index, (uid, _))| (of(*uid), Reverse(*index)));
        most.map(|(index, _)| index).is_some_and(|index| self.clients.remove(index).is_some())
    }

    /// Hears the clients that have said something, answers and lets them go.
    pub fn serve(&mut self, mut answer: impl FnMut(Query, bool) -> Answer) {
        let mut silent = VecDeque::with_capacity(self.clients.len());
        for (uid, client) in self.clients.drain(..) {
            let mut buffer = [0u8; LONGEST_REQUEST];
            match recv(client.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC) {
                Err(Errno::EAGAIN | Errno::EINTR) => silent.push_back((uid, client)),
                Err(_) | Ok(0) => {}
                Ok(length) => {
                    let reply = match buffer.get(..length).map(serde_json::from_slice::<Query>) {
                        Some(Ok(Query::StatusFrom(first))) => without(first, answer(Query::Status, false)),
                        Some(Ok(query)) => answer(query, may_control(uid)),
                        _ => Answer::Refused("this is not a request that devinit knows".to_owned()),
                    };
                    reply_to(&client, reply);
                }
            }
        }
        self.clients = silent;
        self.spare = self.spare.take().or_else(|| self.socket.try_clone().ok());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Sends an answer, or as much of it as fits.
fn reply_to(client: &OwnedFd, mut reply: Answer) {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    while let Ok(bytes) = serde_json::to_vec(&reply) {
        let sent =
            if bytes.len() <= LONGEST_SENT { send(client.as_raw_fd(), &bytes, flags) } else { Err(Errno::EMSGSIZE) };
        // Otherwise the kernel's limit is lower here, or it is short of memory.
        let too_long = matches!(sent, Err(Errno::EMSGSIZE | Errno::ENOBUFS | Errno::ENOMEM));
        let Some(less) = too_long.then(|| smaller(reply, bytes.len())).flatten() else { return };
        reply = less;
    }
}

/// What is said instead of an answer that does not fit; none if nothing is left to leave out.
fn smaller(reply: Answer, size: usize) -> Option<Answer> {
    match reply {
        Answer::Status(mut snapshot) if snapshot.services.len() > 1 => {
            let kept = snapshot.services.len() / 2;
            snapshot.more = snapshot.more.saturating_add(snapshot.services.len() - kept);
            snapshot.services.truncate(kept);
            Some(Answer::Status(snapshot))
        }
        Answer::Refused(_) => None,
        _ => Some(Answer::Refused(format!("the answer, of {size} bytes, is too long for a packet"))),
    }
}

/// The same snapshot without its first services.
fn without(first: usize, reply: Answer) -> Answer {
    match reply {
        Answer::Status(mut snapshot) => {
            snapshot.services.drain(..first.min(snapshot.services.len()));
            Answer::Status(snapshot)
        }
        other => other,
    }
}

fn may_control(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}

/// As whom the other end connected.
fn peer(client: &OwnedFd) -> Option<u32> {
    getsockopt(client, sockopt::PeerCredentials).ok().map(|peer| peer.uid())
}

fn seqpacket(flags: SockFlag) -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Unix, SockType::SeqPacket, flags | SockFlag::SOCK_CLOEXEC, None)?)
}

/// Asks the devinit that listens in this folder how things stand, with all services.
///
/// # Errors
/// Those of [`ask`]; or the answer is another one.
pub fn status(folder: &Path, limit: Duration) -> io::Result<Snapshot> {
    let mut whole: Option<Snapshot> = None;
    for _ in 0..MOST_PARTS {
        let query = whole.as_ref().map_or(Query::Status, |known| Query::StatusFrom(known.services.len()));
        let part = match ask(folder, &query, limit)? {
            Answer::Status(part) => part,
            Answer::Refused(why) => return Err(io::Error::other(why)),
            _ => return Err(io::Error::other("the answer is not understood")),
        };
        let nothing_new = part.services.is_empty();
        let known = match &mut whole {
            None => whole.insert(part),
            Some(known) => {
                known.services.extend(part.services);
                known.more = part.more;
                known
            }
        };
        if known.more == 0 || nothing_new {
            break;
        }
    }
    whole.ok_or_else(|| io::Error::other("no answer"))
}

/// Asks the devinit that listens in this folder.
///
/// # Errors
/// Nobody listens there, or there is no answer within the time limit.
pub fn ask(folder: &Path, query: &Query, limit: Duration) -> io::Result<Answer> {
    let socket = seqpacket(SockFlag::empty())?;
    let limit = TimeVal::new(i64::try_from(limit.as_secs()).unwrap_or(i64::MAX), limit.subsec_micros().into());
    setsockopt(&socket, sockopt::ReceiveTimeout, &limit)?;
    setsockopt(&socket, sockopt::SendTimeout, &limit)?;
    let address = UnixAddr::new(&folder.join(SOCKET))?;
    if connect(socket.as_raw_fd(), &address).is_err() {
        // devinit listens right after it has started its first process, which may be the one that asks.
        std::thread::sleep(Duration::from_millis(20));
        connect(socket.as_raw_fd(), &address)?;
    }
    send(socket.as_raw_fd(), &serde_json::to_vec(query)?, MsgFlags::MSG_NOSIGNAL)?;
    let mut buffer = vec![0u8; LONGEST_ANSWER];
    let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
    let answer = serde_json::from_slice(buffer.get(..length).unwrap_or_default())?;
    Ok(match answer {
        // Who asks may have named something with escape sequences in it.
        Answer::Refused(why) => Answer::Refused(clean(&why, LONGEST_REFUSAL)),
        answer => answer,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::poll::{PollFd, PollFlags, poll};
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    use nix::unistd::{getegid, geteuid};

    use super::*;
    use crate::engine::snapshot::{ServiceState, ServiceStatus};
    use crate::engine::spec::Kind;

    fn client(folder: &Path) -> OwnedFd {
        let socket = seqpacket(SockFlag::empty()).unwrap();
        connect(socket.as_raw_fd(), &UnixAddr::new(&folder.join(SOCKET)).unwrap()).unwrap();
        socket
    }

    /// Has a server of its own answer everyone who asks, while `client` does what it does.
    fn served<T>(answer: impl Fn(Query) -> Answer + Sync, client: impl FnOnce(&Path) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::listen(folder.path()).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let mut watched: Vec<_> =
                        server.descriptors().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
                    let _ = poll(&mut watched, 20u16);
                    server.accept();
                    server.serve(|query, _| answer(query));
                }
            });
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client(folder.path())));
            over.store(true, Ordering::Relaxed);
            result.unwrap()
        })
    }

    fn many_services(count: usize) -> Snapshot {
        let service = |number: usize| ServiceStatus {
            log: Some(format!("/run/devinit/log/service-{number:04}.log").into()),
            text: Some("é".repeat(200)),
            ..ServiceStatus::new(&format!("service-{number:04}"), Kind::Daemon, ServiceState::Ready)
        };
        Snapshot::running(0, (0..count).map(service).collect())
    }

    #[test]
    fn a_thousand_services_come_in_parts_and_are_all_there() {
        let snapshot = many_services(1000);
        assert!(serde_json::to_vec(&snapshot).unwrap().len() > 2 * LONGEST_ANSWER);
        // A thousand are halved to 125, which fit.
        let answered =
            served(|_| Answer::Status(snapshot.clone()), |folder| status(folder, Duration::from_secs(10)).unwrap());
        assert_eq!(answered, snapshot);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_reason() {
        let environment = [("LARGE".to_owned(), "x".repeat(LONGEST_ANSWER))].into();
        let context = Context { environment, ..Context::default() };
        let large = Answer::Probe(Some((Probe::Tcp(1), context)));
        let query = Query::Probe("app".to_owned());
        let answer = served(|_| large.clone(), |folder| ask(folder, &query, Duration::from_secs(10)).unwrap());
        assert!(matches!(&answer, Answer::Refused(why) if why.contains("too long")), "{answer:?}");
    }

    #[test]
    fn a_refusal_cannot_move_the_cursor_of_who_asked() {
        let query = Query::Start("\u{1b}[2J".to_owned());
        let answer = served(
            |query| Answer::Refused(format!("{query:?} \u{1b}[2J")),
            |folder| ask(folder, &query, Duration::from_secs(10)).unwrap(),
        );
        assert!(matches!(&answer, Answer::Refused(why) if !why.contains('\u{1b}')), "{answer:?}");
    }

    fn is_answered(client: &OwnedFd) -> bool {
        recv(client.as_raw_fd(), &mut [0; 100], MsgFlags::MSG_DONTWAIT).is_ok_and(|length| length > 0)
    }

    #[test]
    fn who_asks_is_answered_however_many_are_silent() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::listen(folder.path()).unwrap();
        let mut silent = Vec::new();
        for _ in 0..50 {
            silent.push(client(folder.path()));
            server.accept();
        }
        let asking = client(folder.path());
        send(asking.as_raw_fd(), b"\"status\"", MsgFlags::empty()).unwrap();
        server.accept();
        server.serve(|_, _| Answer::Accepted);
        assert!(is_answered(&asking));
        assert!(server.clients.len() < MOST_CLIENTS);
    }

    #[test]
    fn a_user_with_many_connections_takes_no_place_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::listen(folder.path()).unwrap();
        let asking = client(folder.path());
        server.accept();
        let mut flood: Vec<_> = (0..MOST_CLIENTS - 1).map(|_| seqpacket(SockFlag::empty()).unwrap()).collect();
        server.clients.extend(flood.drain(..).map(|socket| (u32::MAX - 1, socket)));
        let own: Vec<_> = (0..3)
            .map(|_| {
                let more = client(folder.path());
                server.accept();
                more
            })
            .collect();
        assert_eq!(server.clients.len(), MOST_CLIENTS);
        for one in own.iter().chain([&asking]) {
            send(one.as_raw_fd(), b"\"status\"", MsgFlags::empty()).unwrap();
        }
        server.serve(|_, _| Answer::Accepted);
        assert!(own.iter().chain([&asking]).all(is_answered));
    }

    /// In a process of its own, whose limit it is. A listener that stays readable would keep devinit busy for ever.
    #[test]
    fn without_descriptors_the_door_is_cleared_all_the_same() {
        let own = (geteuid().as_raw(), getegid().as_raw());
        let code = sys::as_user(own.0, own.1, &[], &mut || {
            let folder = tempfile::tempdir().unwrap();
            let mut server = Server::listen(folder.path()).unwrap();
            let clients = [client(folder.path()), client(folder.path())];
            send(clients[1].as_raw_fd(), b"\"status\"", MsgFlags::empty()).unwrap();
            // The limit holds for new numbers: up to the spare one all are taken.
            let spare = server.spare.as_ref().map_or(0, AsRawFd::as_raw_fd);
            let (usual, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
            setrlimit(Resource::RLIMIT_NOFILE, u64::try_from(spare).unwrap() + 1, most).unwrap();
            let taken: Vec<_> = std::iter::from_fn(|| server.socket.try_clone().ok()).collect();
            server.accept();
            server.accept();
            drop(taken);
            setrlimit(Resource::RLIMIT_NOFILE, usual, most).unwrap();
            let door_is_clear =
                sys::accept(&server.socket).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            server.serve(|_, _| Answer::Accepted);
            i32::from(!(door_is_clear && is_answered(&clients[1]) && server.spare.is_some()))
        });
        assert_eq!(code.unwrap(), 0);
    }
}
