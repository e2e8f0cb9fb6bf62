//! What is added to ureq's own connections: a watch over their pace, and requests to a proxy in absolute form.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector, SocksConnector,
    TcpConnector, Transport,
};
use ureq::{Agent, Error, ProxyProtocol, Timeout, config::Config};

use super::proxy::Route;

/// An agent that takes this way.
pub(super) fn agent(config: Config, route: &Route, pace: &Arc<Pace>) -> Agent {
    // As ureq's DefaultConnector, with the two in between.
    let connector =
        ().chain(SocksConnector::default())
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(Watch(Arc::clone(pace)))
            .chain(AbsoluteForm(matches!(route, Route::Forward(_))))
            .chain(RustlsConnector::default());
    let instead = match route {
        Route::Forward(proxy) => Some(proxy.uri().clone()),
        _ => None,
    };
    Agent::with_parts(config, connector, Names { instead, resolver: DefaultResolver::default() })
}

/// Whether enough comes: at least [`Pace::LEAST`] bytes in each span of waiting.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Option<Span>>);

#[derive(Clone, Copy, Debug)]
struct Span {
    stall: Duration,
    waited: Duration,
    bytes: usize,
}

impl Pace {
    /// What has to come in the time of a stall, in bytes.
    const LEAST: usize = 1024;

    /// From now on, `LEAST` bytes have to come in each `stall` that is spent waiting; `None`: no matter what comes.
    pub(super) fn expect(&self, stall: Option<Duration>) {
        *self.span() = stall.map(|stall| Span { stall, waited: Duration::ZERO, bytes: 0 });
    }

    fn span(&self) -> std::sync::MutexGuard<'_, Option<Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long the next byte may be waited for.
    fn left(&self) -> Option<Duration> {
        self.span().map(|span| span.stall.saturating_sub(span.waited))
    }

    fn count(&self, bytes: usize, waited: Duration) {
        if let Some(span) = self.span().as_mut() {
            span.bytes = span.bytes.saturating_add(bytes);
            span.waited += waited;
            if span.bytes >= Self::LEAST {
                (span.bytes, span.waited) = (0, Duration::ZERO);
            }
        }
    }
}

/// Watches the pace of connections: below TLS, since a TLS record that comes byte by byte shows above as nothing at all.
#[derive(Debug)]
struct Watch(Arc<Pace>);

impl<In: Transport> Connector<In> for Watch {
    type Out = Watched<In>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        // The connection to a proxy for CONNECT was made by this same chain: it is watched already.
        let watched = details
            .config
            .proxy()
            .is_some_and(|proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https));
        let pace = (!watched).then(|| Arc::clone(&self.0));
        Ok(chained.map(|inner| Watched { inner, pace }))
    }
}

#[derive(Debug)]
struct Watched<T> {
    inner: T,
    pace: Option<Arc<Pace>>,
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        let Some(pace) = &self.pace else { return self.inner.await_input(timeout) };
        if let Some(left) = pace.left() {
            timeout.per_read = Some(left.into());
        }
        let before = self.inner.buffers().input().len();
        let begin = Instant::now();
        let progress = self.inner.await_input(timeout).map_err(reset)?;
        pace.count(self.inner.buffers().input().len().saturating_sub(before), begin.elapsed());
        Ok(progress)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// ureq takes a connection that is reset for the end of a body without a length: it must not see which error it was.
fn reset(error: Error) -> Error {
    match error {
        Error::Io(error)
            if matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::ConnectionAborted) =>
        {
            Error::Io(std::io::Error::other("the connection was reset"))
        }
        error => error,
    }
}

/// Turns requests into those for a proxy (RFC 9112, section 3.2.2), if told so.
#[derive(Debug)]
struct AbsoluteForm(bool);

impl<In: Transport> Connector<In> for AbsoluteForm {
    type Out = Forwarded<In>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let authority = details.uri.authority().filter(|_| self.0).map(|authority| format!("http://{authority}"));
        Ok(chained.map(|inner| Forwarded { inner, authority }))
    }
}

#[derive(Debug)]
struct Forwarded<T> {
    inner: T,
    /// What is put before the path of each request.
    authority: Option<String>,
}

impl<T: Transport> Transport for Forwarded<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    /// A request without a body goes out in one piece, as long as it fits into the buffer of 128 KiB.
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        const METHOD: &[u8] = b"GET ";
        let Some(authority) = &self.authority else { return self.inner.transmit_output(amount, timeout) };
        let output = self.inner.buffers().output();
        let Some(rest) = output.get(..amount).and_then(|request| request.strip_prefix(METHOD)) else {
            return Err(Error::ConnectionFailed);
        };
        let request = [METHOD, authority.as_bytes(), rest].concat();
        output.get_mut(..request.len()).ok_or(Error::ConnectionFailed)?.copy_from_slice(&request);
        self.inner.transmit_output(request.len(), timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Whether getaddrinfo says that no name server answers (EAI_AGAIN, in the words of musl and of glibc), and not that there
/// is no such name.
fn no_answer(error: &str) -> bool {
    error.ends_with("Try again") || error.ends_with("Temporary failure in name resolution")
}

/// Finds addresses: those of the server, or those of the proxy that is connected to in its place.
struct Names {
    instead: Option<Uri>,
    resolver: DefaultResolver,
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        self.resolver.resolve(self.instead.as_ref().unwrap_or(uri), config, timeout).map_err(|error| match error {
            // What getaddrinfo says comes as an error without a kind of its own.
            Error::Io(error) if no_answer(&error.to_string()) => Error::Timeout(Timeout::Resolve),
            Error::Io(_) => Error::HostNotFound,
            Error::Timeout(_) => Error::Timeout(Timeout::Resolve),
            error => error,
        })
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}
