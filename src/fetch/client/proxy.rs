//! By which way a server is reached.

use std::net::IpAddr;

use ureq::{Proxy, ProxyProtocol};

use super::super::Failure;
use super::url::{Url, is_usable};
use crate::config::first_run::Proxies;

/// By which way a server is reached.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Route {
    /// Without a proxy.
    Direct,
    /// The proxy is asked for the URL. ureq would tunnel here as well, which proxies allow for https only, as a rule.
    Forward(Proxy),
    /// The proxy connects to the server: by CONNECT, or SOCKS.
    Tunnel(Proxy),
}

impl Route {
    /// The way to the server of a URL.
    ///
    /// # Errors
    /// What is configured is no URL of a proxy. It may hold a password: it is not part of the message.
    pub(super) fn to(url: &Url, proxies: &Proxies) -> Result<Self, Failure> {
        let (own, scheme) = if url.encrypted() { (&proxies.https, "https") } else { (&proxies.http, "http") };
        let set =
            |proxy: &Option<String>| proxy.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let Some(proxy) = set(own).or_else(|| set(&proxies.all)) else { return Ok(Self::Direct) };
        if is_loopback(url.host()) || is_exception(url, proxies.no_proxy.as_deref().unwrap_or_default()) {
            return Ok(Self::Direct);
        }
        let proxy = parse(&proxy).ok_or_else(|| {
            Failure::permanent(format!("the proxy for {scheme} is not a URL of a proxy"))
                .hint("write it as http://[USER:PASSWORD@]HOST:PORT or socks5h://…, with @ : / % of a password as %40 %3A %2F %25")
        })?;
        Ok(if proxy.protocol() == ProxyProtocol::Http && !url.encrypted() {
            Self::Forward(proxy)
        } else {
            Self::Tunnel(proxy)
        })
    }

    /// The proxy.
    pub(super) fn proxy(&self) -> Option<&Proxy> {
        match self {
            Self::Direct => None,
            Self::Forward(proxy) | Self::Tunnel(proxy) => Some(proxy),
        }
    }
}

fn parse(text: &str) -> Option<Proxy> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    Proxy::new(&text).ok().filter(|proxy| proxy.uri().authority().is_some_and(is_usable))
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether one of the exceptions, parted by commas or spaces, names this server: `example.com` and `.example.com` with
/// all below, an address, a network (`10.0.0.0/8`), each with a port if wanted, or `*`.
fn is_exception(url: &Url, exceptions: &str) -> bool {
    exceptions.split([',', ' ', '\t', '\n']).filter(|text| !text.is_empty()).any(|exception| {
        let (name, port) = with_port(exception);
        port.is_none_or(|port| port == url.port()) && names(name, url.host())
    })
}

/// Takes a port off. An IPv6 address has one only behind brackets.
fn with_port(exception: &str) -> (&str, Option<u16>) {
    let (name, port) = match exception.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port.parse().ok()),
        _ => (exception, None),
    };
    let name = if port.is_some() { name } else { exception };
    (name.trim_matches(['[', ']']), port)
}

fn names(exception: &str, host: &str) -> bool {
    if exception == "*" {
        return true;
    }
    if let Some(address) = address(host) {
        return match exception.split_once('/') {
            Some((network, length)) => contains(network, length, address),
            None => self::address(exception) == Some(address),
        };
    }
    let domain = exception.trim_start_matches('*').trim_matches('.').to_ascii_lowercase();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    !domain.is_empty() && host.strip_suffix(&domain).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// Whether an address lies in a network: `10.0.0.0`, `8`.
fn contains(network: &str, length: &str, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let (Some(network), Ok(length)) = (self::address(network), length.parse::<u32>()) else { return false };
    let ((network, width), (address, own_width)) = (bits(network), bits(address));
    width == own_width && length <= width && (network ^ address).checked_shr(128 - length).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> Proxies {
        Proxies {
            http: Some("plain.example".into()),
            https: Some(" http://us%40er:p%3Ass@secure.example:3128/ ".into()),
            all: Some("socks5h://other.example".into()),
            no_proxy: None,
        }
    }

    fn route(url: &str, proxies: &Proxies) -> Route {
        Route::to(&Url::parse(url).unwrap(), proxies).unwrap()
    }

    #[test]
    fn each_scheme_goes_through_its_own_proxy() {
        let Route::Tunnel(secure) = route("https://x.org", &proxies()) else { panic!() };
        assert_eq!((secure.host(), secure.port()), ("secure.example", 3128));
        assert_eq!((secure.username(), secure.password()), (Some("us@er"), Some("p:ss")));
        let Route::Forward(plain) = route("http://x.org", &proxies()) else { panic!() };
        assert_eq!((plain.host(), plain.port(), plain.username()), ("plain.example", 80, None));
        let all = Proxies { http: Some(String::new()), https: None, ..proxies() };
        for url in ["http://x.org", "https://x.org"] {
            let Route::Tunnel(proxy) = route(url, &all) else { panic!() };
            assert_eq!((proxy.protocol(), proxy.port()), (ProxyProtocol::Socks5h, 1080));
        }
        assert_eq!(route("https://x.org", &Proxies::default()), Route::Direct);
    }

    #[test]
    fn exceptions_are_reached_directly() {
        for (exceptions, url, direct) in [
            ("example.com", "http://example.com", true),
            ("example.com", "http://a.EXAMPLE.com.", true),
            (".example.com", "http://a.example.com", true),
            (".example.com", "http://example.com", true),
            ("*.example.com", "http://a.b.example.com", true),
            ("example.com", "http://badexample.com", false),
            ("a.org, b.org", "http://b.org", true),
            ("a.org b.org", "http://b.org", true),
            ("b.org:8080", "http://b.org:8080", true),
            ("b.org:8080", "http://b.org", false),
            ("*", "http://anything", true),
            (",.,", "http://anything", false),
            ("10.0.0.1", "http://10.0.0.1:5000", true),
            ("10.0.0.1", "http://10.0.0.11", false),
            ("10.0.0.0/8", "http://10.200.3.4", true),
            ("10.0.0.0/8", "http://11.0.0.1", false),
            ("0.0.0.0/0", "http://8.8.8.8", true),
            ("10.0.0.0/33", "http://10.0.0.0", false),
            ("10.0.0.0/8", "http://10.example", false),
            ("fd00::/8", "http://[fd12::1]", true),
            ("fd00::/8", "http://[fe80::1]", false),
            ("[fd12::1]:80", "http://[fd12::1]", true),
            ("fd12::1", "http://[fd12::1]:81", true),
            ("", "http://localhost:3000", true),
            ("", "http://127.3.2.1", true),
            ("", "http://[::1]:80", true),
            ("", "http://[::ffff:127.0.0.1]", true),
            ("", "http://localhost.example", false),
        ] {
            let proxies = Proxies { no_proxy: Some(exceptions.into()), ..proxies() };
            assert_eq!(route(url, &proxies) == Route::Direct, direct, "{exceptions} {url}");
        }
    }

    #[test]
    fn a_broken_proxy_is_said_without_its_password() {
        for value in [
            "ftp://a:hunter2@host",
            "http://a:hunter2@",
            "http://a:hunter2@host:0",
            "a:hunter2@ho st",
            "a:hunter2@host:x",
        ] {
            let proxies = Proxies { all: Some(value.into()), ..Proxies::default() };
            let failure = Route::to(&Url::parse("https://x.org").unwrap(), &proxies).unwrap_err();
            assert_eq!(failure.retry, super::super::super::Retry::Never);
            assert!(failure.text.contains("proxy for https"), "{failure}");
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
    }
}
