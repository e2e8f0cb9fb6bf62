//! How a process tells that it is ready.

use super::super::super::model::Ready;
use super::super::super::texts::status_range;
use super::super::{Check, Place, host_of};

impl Check<'_> {
    pub(super) fn ready(&mut self, ready: Option<&Ready>, place: &Place) {
        let Some(Ready { http, status, body, host, tcp, path, command, notify, fd, timeout }) = ready else { return };
        let given = [http.is_some(), tcp.is_some(), path.is_some(), command.is_some(), notify.is_some(), fd.is_some()];
        match given.iter().filter(|given| **given).count() {
            1 => {}
            0 if !self.whole => {}
            _ => {
                _ = self.error(place, "expected exactly one of `http`, `tcp`, `path`, `command`, `notify` and `fd`");
            }
        }
        if http.as_ref().is_some_and(|url| host_of(url, "http://").is_none()) {
            self.error(&place.key("http"), "expected a URL that begins with `http://`")
                .hint("it is asked for inside the container, as in `http://127.0.0.1:27015/`");
        }
        for (key, given) in [("status", status.is_some()), ("body", body.is_some()), ("host", host.is_some())] {
            if given && http.is_none() && self.is_complete(place) {
                self.error(&place.key(key), "says something about the answer of `http`, which is not there");
            }
        }
        if status.as_ref().is_some_and(|status| status_range(status).is_none()) {
            self.error(&place.key("status"), "expected a status such as `200`, or a range such as `200-299`")
                .hint("they go from 100 to 599");
        }
        if body.as_ref().is_some_and(String::is_empty) {
            self.error(&place.key("body"), "empty text stands in every body");
        }
        let is_host = |host: &String| host_of(&format!("http://{host}"), "http://") == Some(host);
        if host.as_ref().is_some_and(|host| !is_host(host)) {
            self.error(&place.key("host"), "expected a host, as in `example.com` or `example.com:8080`");
        }
        if let Some(port) = tcp {
            self.port(*port, &place.key("tcp"));
        }
        self.absolute_if_any(path.as_ref(), &place.key("path"));
        if let Some(command) = command {
            self.command(command, &place.key("command"));
        }
        if *notify == Some(false) {
            self.error(&place.key("notify"), "can only be `true`").hint("leave it out if it does not notify");
        }
        if fd.is_some_and(|fd| !(3..=255).contains(&fd)) {
            self.error(&place.key("fd"), "expected a descriptor from 3 to 255")
                .hint("0, 1 and 2 are its input, output and errors");
        }
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.error(&place.key("timeout"), "nothing is ready in no time");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{bad, good};

    #[test]
    fn ready_is_told_by_exactly_one_thing() {
        let one = "expected exactly one of `http`, `tcp`, `path`, `command`, `notify` and `fd`";
        bad("app: {ready: {}}", &format!("1:7 `app.ready`: {one}"));
        bad("app: {ready: {timeout: 1m}}", &format!("1:7 `app.ready`: {one}"));
        bad("services: {a: {command: x, ready: {tcp: 1, path: /x}}}", &format!("1:28 `services.a.ready`: {one}"));
        bad("app: {ready: {notify: true, fd: 3}}", &format!("1:7 `app.ready`: {one}"));
        bad("app: {ready: {tcp: 1, timeout: 0s}}", "1:32 `app.ready.timeout`: nothing is ready in no time");
        good("app: {ready: {http: \"http://127.0.0.1:27015/api\", timeout: 30m}}");
        good("app: {ready: {notify: true}}");
        good("app: {ready: {fd: 3}}");
        for url in
            ["https://127.0.0.1/", "127.0.0.1:27015", "http://", "http:///x", "http://a b/", "\"http://a/\\r\\nX: y\""]
        {
            bad(&format!("app:\n  ready:\n    http: {url}"), "3:11 `app.ready.http`: expected a URL");
        }
    }

    #[test]
    fn what_is_wrong_in_ready_is_told_once() {
        bad("app: {ready: {tpc: 1}}", "1:15 unknown key `tpc`");
        bad("app: {ready: {http: [], status: 200}}", "1:21 `app.ready.http`: expected text");
    }

    #[test]
    fn what_http_has_to_answer_wants_http() {
        good("app: {ready: {http: \"http://a/\", status: 200, body: ok, host: example.com:8080}}");
        good("app: {ready: {http: \"http://a/\", status: 200-299}}");
        for key in ["status: 200", "body: ok", "host: a"] {
            let name = key.split(':').next().unwrap();
            bad(
                &format!("app: {{ready: {{tcp: 1, {key}}}}}"),
                &format!("1:{} `app.ready.{name}`: says something about the answer of `http`", 25 + name.len()),
            );
        }
        for (setting, expected) in [
            ("status: 2xx", "1:45 `app.ready.status`: expected a status"),
            ("status: 299-200", "1:45 `app.ready.status`: expected a status"),
            ("body: ''", "1:43 `app.ready.body`: empty text"),
            ("host: 'a b'", "1:43 `app.ready.host`: expected a host"),
            ("host: a/b", "1:43 `app.ready.host`: expected a host"),
            ("host: \"a\\r\\nX: y\"", "1:43 `app.ready.host`: expected a host"),
        ] {
            bad(&format!("app: {{ready: {{http: \"http://a.bc/\", {setting}}}}}"), expected);
        }
    }

    #[test]
    fn a_process_notifies_or_says_nothing_of_it() {
        bad("app: {ready: {notify: false}}", "1:23 `app.ready.notify`: can only be `true`");
        for fd in ["2", "256", "-1"] {
            bad(&format!("app: {{ready: {{fd: {fd}}}}}"), "1:19 `app.ready.fd`: expected a descriptor from 3 to 255");
        }
        bad("app: {ready: {fd: three}}", "1:19 `app.ready.fd`: expected a whole number, found text");
    }
}
