//! What services say of themselves: over a socket as sd_notify(3) has it, or with a newline on a descriptor as s6 has it.
//!
//! PID 1 reads what anyone of the service's user may have written, so every amount is bounded: how much is read at a time,
//! how much of it is kept, and what is made of it. How much can wait to be read is the kernel's to bound, at the sender's
//! expense.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, bind, recv, socket};
use nix::unistd;

use super::machine::Notice;
use super::spec::Service;

/// The folder of the sockets, in the runtime folder.
const FOLDER: &str = "notify";
/// How many datagrams are read at a time.
const MOST_DATAGRAMS: usize = 16;
/// The longest datagram that counts, in bytes; systemd's own limit is the same.
const LONGEST_DATAGRAM: usize = 4096;
/// How much of a `STATUS=` is kept, in characters.
const LONGEST_STATUS: usize = 200;

/// PID 1's end of what a service says something over.
#[derive(Debug)]
pub enum Channel {
    /// A datagram socket that is the service's alone: nobody but root and its user can write to it.
    Socket {
        /// The socket; it does not block.
        socket: OwnedFd,
        /// Where it is.
        path: PathBuf,
        /// The device and the number of its file: another one may have taken its place.
        file: (u64, u64),
    },
    /// The end of a pipe; it does not block.
    Pipe(OwnedFd),
}

impl Channel {
    /// Makes the socket of a service, in the folder `notify` of the runtime folder.
    ///
    /// # Errors
    /// Those of making the folder and the socket: ENAMETOOLONG for a path of more than 107 bytes.
    pub fn socket(runtime: &Path, service: &Service) -> io::Result<Self> {
        let folder = runtime.join(FOLDER);
        // Others may pass through it to theirs, and see no names.
        let mode = 0o711;
        if let Err(error) = DirBuilder::new().mode(mode).create(&folder)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        let metadata = fs::symlink_metadata(&folder)?;
        if !metadata.is_dir() || metadata.uid() != unistd::geteuid().as_raw() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is not ours", folder.display())));
        }
        fs::set_permissions(&folder, Permissions::from_mode(mode))?;

        let name = Path::new(&service.name);
        if name.file_name() != Some(name.as_os_str()) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let path = folder.join(name);
        let address = UnixAddr::new(&path)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
        bind(socket.as_raw_fd(), &address)?;
        let metadata = fs::symlink_metadata(&path)?;
        let channel = Self::Socket { socket, path, file: (metadata.dev(), metadata.ino()) };
        if let Self::Socket { path, .. } = &channel {
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
            if let Some(identity) = service.identity.as_ref().filter(|identity| identity.uid != metadata.uid()) {
                chown(path, Some(identity.uid), None)?;
            }
        }
        Ok(channel)
    }

    /// Makes a pipe, and the end that the service writes to.
    ///
    /// # Errors
    /// Those of pipe2(2).
    pub fn pipe() -> io::Result<(Self, OwnedFd)> {
        let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
        // Only our end: a service need not expect that its own does not block.
        fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((Self::Pipe(read), write))
    }

    /// What `NOTIFY_SOCKET` is for the service.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Socket { path, .. } => Some(path),
            Self::Pipe(_) => None,
        }
    }

    /// What was said since the last time, at most 16 things: of what was said more than once, the last. None once nothing
    /// can be said any more.
    #[must_use]
    pub fn hear(&self) -> Option<Vec<Notice>> {
        match self {
            Self::Socket { socket, .. } => hear_datagrams(socket),
            Self::Pipe(pipe) => hear_newline(pipe),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Socket { socket, .. } => socket.as_fd(),
            Self::Pipe(pipe) => pipe.as_fd(),
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if let Self::Socket { path, file, .. } = self
            && fs::symlink_metadata(&path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == *file)
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn hear_newline(pipe: &OwnedFd) -> Option<Vec<Notice>> {
    let mut buffer = [0u8; LONGEST_DATAGRAM];
    match unistd::read(pipe, &mut buffer) {
        Ok(0) => None,
        // What stands around the newline means nothing.
        Ok(length) if buffer.get(..length).is_some_and(|said| said.contains(&b'\n')) => Some(vec![Notice::Ready]),
        Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => Some(Vec::new()),
        Err(_) => None,
    }
}

fn hear_datagrams(socket: &OwnedFd) -> Option<Vec<Notice>> {
    let mut buffer = [0u8; LONGEST_DATAGRAM];
    let mut said = Said::default();
    for _ in 0..MOST_DATAGRAMS {
        // Without room for descriptors the kernel closes those that come along. Who sends `BARRIER=1` waits for just that.
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC) {
            // With MSG_TRUNC the length is that of the whole datagram: there is nothing to `get` of one that is too long.
            Ok(length) => {
                buffer.get(..length).unwrap_or_default().split(|byte| *byte == b'\n').for_each(|line| said.line(line))
            }
            Err(Errno::EAGAIN) => break,
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
    Some(said.notices())
}

/// What was said, each thing once.
#[derive(Default)]
struct Said {
    every: Option<Duration>,
    status: Option<String>,
    ready: bool,
    alive: bool,
    trigger: bool,
}

impl Said {
    fn line(&mut self, line: &[u8]) {
        match line {
            b"READY=1" => self.ready = true,
            b"WATCHDOG=1" => self.alive = true,
            b"WATCHDOG=trigger" => self.trigger = true,
            _ => {
                if let Some(status) = line.strip_prefix(b"STATUS=") {
                    // The most that as many characters can take, so that the rest is not even looked at.
                    let status = status.get(..LONGEST_STATUS * 4).unwrap_or(status);
                    self.status = Some(String::from_utf8_lossy(status).chars().take(LONGEST_STATUS).collect());
                } else if let Some(every) = line.strip_prefix(b"WATCHDOG_USEC=") {
                    let number = std::str::from_utf8(every).ok().and_then(|number| number.parse().ok());
                    self.every = number.map(Duration::from_micros).or(self.every);
                }
            }
        }
    }

    fn notices(self) -> Vec<Notice> {
        let ready = self.ready.then_some(Notice::Ready);
        let alive = self.alive.then_some(Notice::Alive);
        let trigger = self.trigger.then_some(Notice::Trigger);
        let (every, status) = (self.every.map(Notice::AliveEvery), self.status.map(Notice::Status));
        [every, status, ready, alive, trigger].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use nix::libc;

    use super::*;
    use crate::engine::spec::{Identity, Kind};

    fn channel(runtime: &Path) -> Channel {
        Channel::socket(runtime, &Service::new("web", Kind::Daemon, Vec::new())).unwrap()
    }

    fn say(channel: &Channel, text: &[u8]) {
        let socket = UnixDatagram::unbound().unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.send_to(text, channel.path().unwrap()).unwrap();
    }

    fn heard(text: &[u8]) -> Vec<Notice> {
        let runtime = tempfile::tempdir().unwrap();
        let channel = channel(runtime.path());
        say(&channel, text);
        channel.hear().unwrap()
    }

    #[test]
    fn what_is_said_is_understood_as_sd_notify_has_it() {
        assert_eq!(heard(b"READY=1"), [Notice::Ready]);
        assert_eq!(heard(b"READY=1\n"), [Notice::Ready]);
        assert_eq!(heard(b"STATUS=2 of 3"), [Notice::Status("2 of 3".to_owned())]);
        assert_eq!(heard(b"WATCHDOG=1"), [Notice::Alive]);
        assert_eq!(heard(b"WATCHDOG=trigger"), [Notice::Trigger]);
        assert_eq!(heard(b"WATCHDOG_USEC=2000000"), [Notice::AliveEvery(Duration::from_secs(2))]);
        assert_eq!(heard(b"WATCHDOG_USEC=0"), [Notice::AliveEvery(Duration::ZERO)]);
        let several = b"MAINPID=1\nSTATUS=a\nREADY=1\nSTATUS=b=c\nX_UNKNOWN=1";
        assert_eq!(heard(several), [Notice::Status("b=c".to_owned()), Notice::Ready]);
    }

    #[test]
    fn what_means_nothing_is_passed_over() {
        for text in [
            &b""[..],
            b"\n\n",
            b"READY=0",
            b"READY=10",
            b"ready=1",
            b" READY=1",
            b"READY=1\r",
            b"READY=1\0",
            b"BARRIER=1",
            b"STOPPING=1",
            b"WATCHDOG=",
            b"WATCHDOG_USEC=",
            b"WATCHDOG_USEC=-1",
            b"WATCHDOG_USEC=soon",
            b"WATCHDOG_USEC=99999999999999999999",
            b"\xff\xfe\0",
            &[b'\n'; LONGEST_DATAGRAM],
        ] {
            assert_eq!(heard(text), [], "{}", String::from_utf8_lossy(text));
        }
        let too_long = [&b"READY=1\n"[..], &[b'\n'; LONGEST_DATAGRAM]].concat();
        assert_eq!(heard(&too_long), []);
    }

    #[test]
    fn a_status_is_cut_and_its_bytes_are_made_text() {
        let status = |text: &[u8]| match heard(&[b"STATUS=", text].concat()).as_slice() {
            [Notice::Status(status)] => status.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(status(b""), "");
        assert_eq!(status(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(status(&[b'a'; 4000]), "a".repeat(LONGEST_STATUS));
        assert_eq!(status("😀".repeat(300).as_bytes()), "😀".repeat(LONGEST_STATUS));
        assert_eq!(status(&[0xff; 4000]), "\u{fffd}".repeat(LONGEST_STATUS));
    }

    #[test]
    fn a_flood_is_heard_in_parts_and_each_thing_once() {
        let runtime = tempfile::tempdir().unwrap();
        let channel = channel(runtime.path());
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        let text = "STATUS=x\nWATCHDOG=1\n".repeat(200);
        let sent = (0..10_000).take_while(|_| sender.send_to(text.as_bytes(), channel.path().unwrap()).is_ok()).count();
        assert!((1..10_000).contains(&sent), "the kernel has a limit of its own");
        for _ in 0..sent.div_ceil(MOST_DATAGRAMS) {
            assert_eq!(channel.hear().unwrap(), [Notice::Status("x".to_owned()), Notice::Alive]);
        }
        assert_eq!(channel.hear(), Some(Vec::new()));
    }

    #[test]
    fn the_socket_is_the_services_alone_and_goes_with_its_channel() {
        let runtime = tempfile::tempdir().unwrap();
        let mut service = Service::new("web", Kind::Daemon, Vec::new());
        let root = unistd::geteuid().is_root();
        let uid = if root { 3100 } else { unistd::geteuid().as_raw() };
        service.identity = Some(Identity { uid, gid: 1100, groups: Vec::new() });
        let channel = Channel::socket(runtime.path(), &service).unwrap();
        let path = runtime.path().join("notify/web");
        assert_eq!(channel.path(), Some(path.as_path()));
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (uid, 0o600));
        assert_eq!(fs::metadata(runtime.path().join("notify")).unwrap().mode() & 0o7777, 0o711);

        // A new one takes the place of the old one, whose end is not the end of the new one.
        let next = Channel::socket(runtime.path(), &service).unwrap();
        drop(channel);
        say(&next, b"READY=1");
        assert_eq!(next.hear(), Some(vec![Notice::Ready]));
        drop(next);
        assert!(!path.exists());
    }

    #[test]
    fn what_was_left_at_the_place_of_a_socket_is_removed_and_a_link_is_not_followed() {
        let runtime = tempfile::tempdir().unwrap();
        let elsewhere = runtime.path().join("elsewhere");
        fs::write(&elsewhere, "").unwrap();
        let modes = fs::metadata(&elsewhere).unwrap().mode();
        fs::create_dir(runtime.path().join("notify")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, runtime.path().join("notify/web")).unwrap();
        drop(channel(runtime.path()));
        assert_eq!(fs::metadata(&elsewhere).unwrap().mode(), modes);

        fs::remove_dir(runtime.path().join("notify")).unwrap();
        std::os::unix::fs::symlink(runtime.path(), runtime.path().join("notify")).unwrap();
        assert!(Channel::socket(runtime.path(), &Service::new("web", Kind::Daemon, Vec::new())).is_err());
    }

    #[test]
    fn names_of_64_bytes_have_a_socket_and_those_that_lead_elsewhere_do_not() {
        let runtime = tempfile::tempdir().unwrap();
        let with = |name: &str| Channel::socket(runtime.path(), &Service::new(name, Kind::Daemon, Vec::new()));
        assert!(with(&"a".repeat(64)).is_ok());
        let error = with(&"a".repeat(120)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENAMETOOLONG));
        for name in ["", ".", "..", "../web", "/web", "a/b"] {
            assert!(with(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_newline_on_the_descriptor_means_ready_and_its_end_that_nothing_follows() {
        let (channel, write) = Channel::pipe().unwrap();
        assert_eq!(channel.hear(), Some(Vec::new()));
        unistd::write(&write, b"almost").unwrap();
        assert_eq!(channel.hear(), Some(Vec::new()));
        unistd::write(&write, b" there\n").unwrap();
        drop(write);
        assert_eq!(channel.hear(), Some(vec![Notice::Ready]));
        assert_eq!(channel.hear(), None);
    }

    /// Runs a program with the socket in its environment, and what it has said by its end.
    fn spoken(program: &str, arguments: &[&str]) -> Option<Vec<Notice>> {
        let runtime = tempfile::tempdir().unwrap();
        let channel = channel(runtime.path());
        let mut command = Command::new(program);
        command.args(arguments).env("NOTIFY_SOCKET", channel.path().unwrap()).stdin(Stdio::null());
        let mut child = command.spawn().ok()?;
        let (begun, mut said) = (Instant::now(), Vec::new());
        loop {
            let ended = child.try_wait().unwrap();
            said.extend(channel.hear().unwrap());
            if let Some(status) = ended {
                assert!(status.success(), "{program}: {status}");
                return Some(said);
            }
            if begun.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{program} waits for ever");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_real_systemd_notify_is_understood_and_its_barrier_passed() {
        if let Some(said) = spoken("systemd-notify", &["--ready", "--status=up and running"]) {
            assert_eq!(said, [Notice::Status("up and running".to_owned()), Notice::Ready]);
        }
    }

    #[test]
    fn a_python_program_is_understood() {
        let script = "import os, socket\n\
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
            r, w = os.pipe()\n\
            s.sendmsg([b'READY=1\\nBARRIER=1'],\
             [(socket.SOL_SOCKET, socket.SCM_RIGHTS, w.to_bytes(4, 'little'))], 0, os.environ['NOTIFY_SOCKET'])\n\
            os.close(w)\n\
            assert os.read(r, 1) == b''\n";
        if let Some(said) = spoken("python3", &["-c", script]) {
            assert_eq!(said, [Notice::Ready]);
        }
    }
}
