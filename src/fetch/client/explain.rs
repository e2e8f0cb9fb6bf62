//! What went wrong on the way to a server, without anything that may be secret.

use std::io;
use std::time::Duration;

use rustls::CertificateError;
use ureq::{Error, Timeout};

use super::super::Failure;
use super::proxy::Route;
use super::url::Url;

/// With whom it is spoken, for messages.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    host: String,
    /// The proxy in between: its host and port.
    proxy: Option<String>,
    /// Whether that is one for SOCKS.
    socks: bool,
    stall: Duration,
    limit: Option<Duration>,
}

impl Peer {
    /// The server of a URL, and who is in between.
    pub(super) fn new(url: &Url, route: &Route, stall: Duration, limit: Option<Duration>) -> Self {
        let proxy = route.proxy();
        Self {
            host: url.uri.authority().map_or_else(|| url.host().to_owned(), ToString::to_string),
            proxy: proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port())),
            socks: proxy.is_some_and(|proxy| proxy.protocol().to_string().starts_with("SOCKS")),
            stall,
            limit,
        }
    }

    /// Whom the connection is made to.
    fn next(&self) -> String {
        self.proxy.as_ref().map_or_else(|| self.host.clone(), |proxy| format!("the proxy {proxy}"))
    }

    /// The server, and the proxy that it is reached by.
    fn way(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("{} (through the proxy {proxy})", self.host),
            None => self.host.clone(),
        }
    }
}

/// What an error of ureq means, and whether it may pass.
pub(super) fn explain(error: Error, peer: &Peer) -> Failure {
    match error {
        Error::Timeout(timeout) => late(timeout, peer),
        Error::HostNotFound => Failure::passing(format!("the name of {} is not found", peer.next()))
            .hint("is there a network, is the name right, does the web need a proxy here?"),
        Error::ConnectProxyFailed(reason) => refused_by_proxy(&reason, peer),
        Error::Tls(_) => Failure::permanent(format!("{} is no name that a certificate could be for", peer.host)),
        Error::Rustls(error) => tls(&error, peer),
        Error::Io(error) => broken(&error, peer),
        Error::BadUri(_) | Error::Http(_) => Failure::permanent("this is not a URL of http or https"),
        Error::LargeResponseHeader(..) => {
            Failure::permanent(format!("the head of the answer from {} is too long", peer.way()))
        }
        // Its own texts hold no part of what was sent or received.
        Error::Protocol(error) => {
            Failure::passing(format!("the answer from {} is no proper HTTP ({error})", peer.way()))
        }
        _ => Failure::passing(format!("there is no connection to {}", peer.way())),
    }
}

fn late(timeout: Timeout, peer: &Peer) -> Failure {
    match (timeout, peer.limit) {
        (Timeout::Global, Some(limit)) => {
            Failure::passing(format!("no complete answer within {limit:?} from {}", peer.way()))
        }
        (Timeout::Resolve, _) => Failure::passing(format!("no name server says where {} is", peer.next())).hint(
            "is there a network, does the name server in /etc/resolv.conf answer, does the web need a proxy here?",
        ),
        _ => Failure::passing(format!("no data for {:?} from {}", peer.stall, peer.way())),
    }
}

fn refused_by_proxy(reason: &str, peer: &Peer) -> Failure {
    // ureq has the status in a text only: `proxy server responded 407/407`.
    let status = reason.rsplit('/').next().and_then(|status| status.parse::<u16>().ok());
    let Some(status) = status else {
        return Failure::passing(format!("{} did not answer", peer.next()));
    };
    let text = format!("{} refuses to connect to {} (status {status})", peer.next(), peer.host);
    match status {
        407 => Failure::permanent(text).hint(PROXY_CREDENTIALS),
        408 | 429 | 500..=599 => Failure::passing(text),
        _ => Failure::permanent(text).hint("the proxy may only allow some servers or ports; see `proxy` in the config"),
    }
}

/// What to do if a proxy wants to know who is there.
pub(super) const PROXY_CREDENTIALS: &str =
    "the proxy wants a user and a password: http://USER:PASSWORD@HOST:PORT, in `proxy` or in the container's variables";

fn broken(error: &io::Error, peer: &Peer) -> Failure {
    if let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        return tls(error, peer);
    }
    // What the system reports has no error within.
    if let Some(inner) = error.get_ref().filter(|_| peer.socks) {
        return socks(error.kind(), &inner.to_string(), peer);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Failure::passing(format!("the connection to {} was cut", peer.way())),
        io::ErrorKind::ConnectionRefused => {
            Failure::passing(format!("{} refuses the connection", peer.next())).hint("does it run, is the port right?")
        }
        // Those of the system, whose texts are plain: "No route to host".
        _ => Failure::passing(format!("the connection to {} failed: {error}", peer.way())),
    }
}

/// The texts are those of ureq's SOCKS handshake.
fn socks(kind: io::ErrorKind, text: &str, peer: &Peer) -> Failure {
    match text {
        "no acceptable auth methods" | "unknown auth method" | "password authentication failed" => {
            Failure::permanent(format!("{} refuses without the right user and password", peer.next()))
                .hint(PROXY_CREDENTIALS)
        }
        "connection not allowed by ruleset" => {
            Failure::permanent(format!("{} does not allow a connection to {}", peer.next(), peer.host))
        }
        _ if kind == io::ErrorKind::UnexpectedEof => {
            Failure::passing(format!("the connection to {} was cut", peer.way()))
        }
        text => Failure::passing(format!("there is no connection to {}: {text}", peer.way())),
    }
}

fn tls(error: &rustls::Error, peer: &Peer) -> Failure {
    use rustls::Error as Tls;
    let host = &peer.host;
    match error {
        Tls::InvalidCertificate(error) => certificate(error, peer),
        Tls::InvalidMessage(_) => {
            Failure::permanent(format!("{host} does not speak TLS on this port")).hint("is it http, not https?")
        }
        Tls::PeerIncompatible(_) | Tls::NoCertificatesPresented => {
            Failure::permanent(format!("no TLS is possible with {host}: {error}"))
        }
        _ => Failure::passing(format!("the TLS connection to {} failed: {error}", peer.way())),
    }
}

fn certificate(error: &CertificateError, peer: &Peer) -> Failure {
    use CertificateError as Problem;
    let host = &peer.host;
    let clock = "if it is not, the clock of this machine is wrong: see `date`";
    match error {
        Problem::UnknownIssuer => Failure::permanent(format!(
            "the certificate of {host} is signed by an unknown authority"
        ))
        .hint("if a proxy or a mirror of yours has its own authority, name its certificate in first_run.certificates"),
        Problem::NotValidForName | Problem::NotValidForNameContext { .. } => {
            Failure::permanent(format!("the certificate of {host} is for another host"))
                .hint("is the host right, or does something else answer in its place?")
        }
        Problem::Expired | Problem::ExpiredContext { .. } => {
            Failure::permanent(format!("the certificate of {host} has expired")).hint(clock)
        }
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => {
            Failure::permanent(format!("the certificate of {host} is not valid yet")).hint(clock)
        }
        Problem::Revoked => Failure::permanent(format!("the certificate of {host} was revoked")),
        Problem::Other(error) if format!("{error:?}").contains("CaUsedAsEndEntity") => {
            Failure::permanent(format!("the certificate of {host} is that of an authority, not that of a server"))
                .hint("give the server a certificate of its own, signed by that authority")
        }
        error => Failure::permanent(format!("the certificate of {host} cannot be used: {error}")),
    }
}
