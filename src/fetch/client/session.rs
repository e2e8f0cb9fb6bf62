//! Requests: through the right proxy, from one redirect to the next.

use std::cell::{OnceCell, RefCell};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, StatusCode, header};
use ureq::tls::TlsConfig;
use ureq::{Agent, BodyReader, ProxyProtocol};

use super::super::Failure;
use super::explain::{Peer, explain};
use super::proxy::Route;
use super::transport::{self, Pace};
use super::url::{Url, basic_authorization};
use super::{Settings, status};

/// How many redirects are followed.
const REDIRECTS: usize = 10;

/// The requests that one text or one download takes.
pub(super) struct Session<'a> {
    settings: &'a Settings,
    stall: Duration,
    deadline: Option<(Instant, Duration)>,
    pace: Arc<Pace>,
    tls: OnceCell<TlsConfig>,
    /// The last one, with the connections that it keeps: a redirect often leads back to the same server.
    agent: RefCell<Option<(Route, bool, Agent)>>,
}

/// An answer, before its body is read.
pub(super) struct Answer {
    url: Url,
    /// Whether it was not the URL that was asked for first.
    redirected: bool,
    pub(super) status: StatusCode,
    headers: HeaderMap,
    peer: Peer,
    body: BodyReader<'static>,
}

impl<'a> Session<'a> {
    /// A session that takes as long as it takes, or `limit` at most.
    pub(super) fn new(settings: &'a Settings, limit: Option<Duration>) -> Self {
        let stall = if settings.stall.is_zero() { Duration::from_secs(30) } else { settings.stall };
        Self {
            settings,
            stall,
            deadline: limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit))),
            pace: Arc::default(),
            tls: OnceCell::new(),
            agent: RefCell::default(),
        }
    }

    /// Gets a URL and follows where it leads.
    pub(super) fn get(&self, url: &Url, headers: &[(&'static str, String)]) -> Result<Answer, Failure> {
        let mut url = url.clone();
        for redirects in 0..=REDIRECTS {
            let mut answer = self.get_once(&url, headers)?;
            answer.redirected = redirects > 0;
            match answer.location()? {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        let text = format!("the server redirects too often: {REDIRECTS} times, in the end to {}", url.redacted());
        Err(Failure::permanent(text))
    }

    /// Gets a URL, wherever it leads.
    pub(super) fn get_once(&self, url: &Url, headers: &[(&'static str, String)]) -> Result<Answer, Failure> {
        let route = Route::to(url, &self.settings.proxies)?;
        let peer = Peer::new(url, &route, self.stall, self.deadline.map(|(_, limit)| limit));
        let agent = self.agent(url, &route)?;
        self.pace.expect(None);
        let mut request = agent.get(url.uri.clone()).header(header::ACCEPT_ENCODING, "identity");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(value) = &url.authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        if let Route::Forward(proxy) = &route
            && let Some(user) = proxy.username()
        {
            let password = proxy.password().unwrap_or_default();
            let value = basic_authorization(user.as_bytes(), password.as_bytes());
            request = request.header(header::PROXY_AUTHORIZATION, value);
        }
        if let Some(left) = self.left() {
            request = request.config().timeout_global(Some(left)).build();
        }
        let (head, body) = request.call().map_err(|error| explain(error, &peer))?.into_parts();
        Ok(Answer {
            url: url.clone(),
            redirected: false,
            status: head.status,
            headers: head.headers,
            peer,
            body: body.into_reader(),
        })
    }

    fn left(&self) -> Option<Duration> {
        // ureq takes no time at all for no limit at some places.
        self.deadline.map(|(end, _)| end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)))
    }

    fn agent(&self, url: &Url, route: &Route) -> Result<Agent, Failure> {
        let mut kept = self.agent.borrow_mut();
        let encrypted = url.encrypted() || route.proxy().is_some_and(|proxy| proxy.protocol() == ProxyProtocol::Https);
        if let Some((.., agent)) = kept.as_ref().filter(|(kept, tls, _)| kept == route && *tls == encrypted) {
            return Ok(agent.clone());
        }
        let mut config = Agent::config_builder()
            .user_agent(concat!("devinit/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_resolve(Some(self.stall))
            .timeout_connect(Some(self.stall))
            .timeout_send_request(Some(self.stall))
            .timeout_recv_response(Some(self.stall))
            .timeout_per_read(Some(self.stall))
            .proxy(match route {
                Route::Tunnel(proxy) => Some(proxy.clone()),
                Route::Direct | Route::Forward(_) => None,
            });
        if encrypted {
            config = config.tls_config(self.tls()?);
        }
        let agent = transport::agent(config.build(), route, &self.pace);
        *kept = Some((route.clone(), encrypted, agent.clone()));
        Ok(agent)
    }

    fn tls(&self) -> Result<TlsConfig, Failure> {
        if let Some(config) = self.tls.get() {
            return Ok(config.clone());
        }
        let config = super::tls::config(&self.settings.certificates)?;
        Ok(self.tls.get_or_init(|| config).clone())
    }

    /// From now on a body is read: it has to come at some pace.
    pub(super) fn expect_body(&self) {
        self.pace.expect(Some(self.stall));
    }
}

impl Answer {
    /// Where it redirects to, if it does.
    pub(super) fn location(&self) -> Result<Option<Url>, Failure> {
        if !matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        self.header(header::LOCATION.as_str()).map(|location| self.url.follow(location)).transpose()
    }

    /// A header, if it is readable text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// Whether the whole of what was asked for follows.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.status.as_u16(), 200 | 203)
    }

    /// Reads on in the body. Returns 0 at its end, which has to be where the server said.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        loop {
            match self.body.read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => return read.map_err(|error| explain(error.into(), &self.peer)),
            }
        }
    }

    /// Reads a body of at most `limit` bytes.
    pub(super) fn text(mut self, limit: usize) -> Result<String, Failure> {
        let mut text = Vec::new();
        let mut part = [0; 16 << 10];
        loop {
            let length = self.read(&mut part)?;
            if length == 0 {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            text.extend_from_slice(part.get(..length).unwrap_or_default());
            if text.len() > limit {
                return Err(Failure::permanent(format!("the answer is longer than {limit} bytes")));
            }
        }
    }

    /// The failure that the status stands for.
    pub(super) fn refusal(&self) -> Failure {
        let header = |name: &str| self.header(name);
        let mut failure = status::failure(self.status.as_u16(), header, self.url.host(), jiff::Timestamp::now());
        if self.redirected {
            failure.text = format!("{}, at {}", failure.text, self.url.redacted());
        }
        failure
    }
}
