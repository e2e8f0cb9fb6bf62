//! Upstream misbehaves: the right error or the right recovery, and nothing half-installed.

use std::env::consts::ARCH;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{ByHand, STATE, config, container, noise, sha256, sha256_inside, users};
use crate::support::mirror::{Authority, Fault, Request};
use crate::support::{Container, Mirror, seconds};

/// Where the steps of this file install to.
const PLACE: &str = "/home/peid/place";

/// What becomes of a download.
enum Outcome {
    /// It is there in the end, byte by byte.
    Recovers,
    /// It is not, and the error has these words.
    Fails(&'static str),
}

struct Case {
    name: &'static str,
    /// What is published.
    content: Vec<u8>,
    /// What goes wrong at first.
    faults: Vec<Fault>,
    /// What goes wrong each time.
    always: Option<Fault>,
    /// Keys of the step, besides url and to.
    keys: String,
    outcome: Outcome,
    /// How often it is asked for.
    asked: std::ops::RangeInclusive<usize>,
}

impl Case {
    /// A download of noise with its checksum, that is tried three times.
    fn new(name: &'static str, outcome: Outcome) -> Self {
        let content = noise(300_000);
        let keys = format!("retries: 2, sha256: {}", sha256(&content));
        Self { name, content, faults: Vec::new(), always: None, keys, outcome, asked: 1..=1 }
    }

    fn faults(mut self, faults: impl Into<Vec<Fault>>) -> Self {
        self.faults = faults.into();
        self.asked = self.faults.len() + 1..=self.faults.len() + 1;
        self
    }

    fn always(mut self, fault: Fault) -> Self {
        self.always = Some(fault);
        self
    }

    fn asked(mut self, asked: std::ops::RangeInclusive<usize>) -> Self {
        self.asked = asked;
        self
    }

    fn keys(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.keys);
        self
    }

    fn content(mut self, content: Vec<u8>) -> Self {
        self.content = content;
        self
    }

    /// Runs it, and says what is not as it should be.
    fn problems(self, container: &Container, mirror: &Mirror) -> Vec<String> {
        let (path, to) = (format!("/trouble/{}", self.name), format!("{PLACE}/{}", self.name));
        let url = mirror.put(&path, self.content.clone());
        mirror.fails(&path, self.faults);
        if let Some(fault) = self.always {
            mirror.always_fails(&path, fault);
        }
        let step = format!("download: {{name: {}, url: '{url}', to: {to}, {}}}", self.name, self.keys);
        container.sh("touch /tmp/before");
        let run = ByHand::run(container, &config(mirror, &[&step]), "");
        let mut problems = Vec::new();
        let mut expect = |ok: bool, what: String| {
            if !ok {
                problems.push(format!("{}: {what}\n{:?}", self.name, run.output));
            }
        };
        let asked = mirror.requests(&path);
        expect(self.asked.contains(&asked.len()), format!("asked {} times: {asked:#?}", asked.len()));
        match self.outcome {
            Outcome::Recovers => {
                expect(run.output.code == 0, "it failed".into());
                expect(sha256_inside(container, &to) == sha256(&self.content), "not what is published".into());
            }
            Outcome::Fails(words) => {
                let error = run.error(self.name).unwrap_or_default();
                expect(run.output.code == 1, "not exit code 1".into());
                expect(error.to_lowercase().contains(words), format!("no {words:?} in {error:?}"));
                let left = leftovers(container);
                expect(left.is_empty(), format!("left behind: {left}"));
            }
        }
        problems
    }
}

/// Files that came since `/tmp/before`, but for those of the state folder and those that are Docker's.
fn leftovers(container: &Container) -> String {
    container.sh(&format!(
        "find / -xdev -newercm /tmp/before ! -type d ! -path '{STATE}/*' ! -path {} ! -path '/run/*' ! -path '/etc/host*' ! -path /etc/resolv.conf 2>/dev/null || true",
        super::BY_HAND
    ))
}

/// One entry of a tar archive, however bad its name or link is.
fn tar_gz(name: &str, link: Option<&str>) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |name: &str, link: Option<&str>, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(if link.is_some() { tar::EntryType::Symlink } else { tar::EntryType::Regular });
        if let Some(link) = link {
            header.as_ustar_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        }
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        header.set_cksum();
        archive.append(&header, content).unwrap();
    };
    add("tool/bin", None, b"fine");
    add(name, link, if link.is_some() { b"" } else { b"evil" });
    archive.into_inner().unwrap().finish().unwrap()
}

fn truncated_archive() -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.set_size(200_000);
    header.set_path("tool").unwrap();
    header.set_cksum();
    packed.write_all(header.as_bytes()).unwrap();
    packed.write_all(&noise(200_000)).unwrap();
    packed.finish().unwrap()[..100_000].to_vec()
}

#[test]
fn each_trouble_has_its_recovery_or_its_error_and_leaves_nothing_half_installed() {
    use Outcome::{Fails, Recovers};
    let mirror = Mirror::start();
    let container = container(&users("")).run();
    container.wait_for_ssh();
    let unpack = "unpack: true, retries: 1";
    let zeros = format!("retries: 0, sha256: {}", "0".repeat(64));
    let cases = [
        Case::new("not-found", Fails("404")).always(Fault::status(404)),
        Case::new("too-many", Recovers).faults([Fault::status(429).header("Retry-After", "3")]),
        Case::new("twice-500", Recovers).faults([Fault::status(500), Fault::status(500)]),
        Case::new("always-500", Fails("500")).always(Fault::status(500)).asked(3..=3),
        Case::new("cut", Recovers).faults([Fault::CutAfter(100_000)]),
        Case::new("cut-without-range", Recovers).faults([Fault::CutAfter(100_000), Fault::IgnoreRange]).asked(2..=2),
        Case::new("wrong-checksum", Fails("checksum")).keys(&zeros).asked(1..=2),
        Case::new("changed", Fails("checksum")).always(Fault::Instead(noise(299_999))).asked(1..=3),
        Case::new("truncated", Fails("truncated")).keys(unpack).content(truncated_archive()).asked(1..=2),
        Case::new("leads-out", Fails("refused")).keys(unpack).content(tar_gz("../../evil", None)),
        Case::new("absolute", Fails("refused")).keys(unpack).content(tar_gz("/tmp/evil", None)),
        Case::new("absolute-link", Fails("refused")).keys(unpack).content(tar_gz("tool/passwd", Some("/etc/passwd"))),
        Case::new("link-out", Fails("refused")).keys(unpack).content(tar_gz("tool/up", Some("../../../.bashrc"))),
        Case::new("loop", Fails("redirect")).always(Fault::Redirect("/trouble/loop".into())).asked(2..=60),
        Case::new("html", Fails("web page")).keys("retries: 1").always(Fault::Page).asked(1..=2),
        Case::new("html-archive", Fails("web page")).keys(unpack).always(Fault::Page).asked(1..=2),
    ];
    let problems: Vec<String> = cases.into_iter().flat_map(|case| case.problems(&container, &mirror)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));

    let at = |path: &str| mirror.requests(path).iter().map(|request| request.at).collect::<Vec<_>>();
    let busy = at("/too-many");
    assert!(busy[1] - busy[0] >= seconds(3), "Retry-After was not honoured: {busy:?}");
    for path in ["/cut", "/cut-without-range"] {
        let asked = mirror.requests(path);
        assert_eq!(asked[1].header("range"), Some("bytes=100000-"), "{asked:#?}");
        assert!(asked[1].header("if-range").is_some(), "another file would be spliced on: {asked:#?}");
    }
    assert!(mirror.all_requests().iter().all(is_devinit), "{:#?}", mirror.all_requests());
}

fn is_devinit(request: &Request) -> bool {
    request.header("user-agent").is_some_and(|agent| agent.starts_with("devinit/"))
}

#[test]
fn a_stall_is_noticed_and_the_download_goes_on_from_there() {
    let mirror = Mirror::start();
    let container = container(&users("")).run();
    container.wait_for_ssh();
    let case = Case::new("stall", Outcome::Recovers).faults([Fault::StallAfter(100_000)]);
    let problems = case.problems(&container, &mirror);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let asked = mirror.requests("/stall");
    assert_eq!(asked[1].header("range"), Some("bytes=100000-"), "{asked:#?}");
    assert!(asked[1].at - asked[0].at < seconds(90), "{asked:#?}");
}

#[test]
fn an_unknown_authority_is_refused_until_the_config_names_it() {
    let authority = Authority::new();
    let mirror = Mirror::encrypted(&authority);
    let url = mirror.put("/tool", "#!/bin/sh\necho trusted\n");
    let step = format!("download: {{url: '{url}', to: {PLACE}/tool, mode: '0755', retries: 1}}");
    let container = container(&users("")).mounted("/etc/mirror.pem", authority.certificate()).run();
    container.wait_for_ssh();

    let refused = ByHand::run(&container, &users(&super::first_run("parallel: 4", &[&step])), "");
    let error = refused.error("download").unwrap_or_default();
    assert!(refused.output.code == 1 && error.contains("authority"), "{error}\n{:?}", refused.output);
    assert!(error.contains("first_run.certificates"), "nobody is told what to do: {error}");
    assert_eq!(mirror.all_requests(), []);
    assert_ne!(container.exec(["test", "-e", &format!("{PLACE}/tool")]).code, 0);

    let trusting = users(&super::first_run("certificates: [/etc/mirror.pem]", &[&step]));
    let run = ByHand::run(&container, &trusting, "");
    assert_eq!(run.output.code, 0, "{:?}", run.output);
    assert_eq!(container.exec_as("peid", [&format!("{PLACE}/tool")]).success(), "trusted");
}

#[test]
fn a_release_that_does_not_match_its_published_checksum_is_not_installed() {
    let mirror = Mirror::start();
    let asset = format!("/github.com/astral-sh/uv/releases/download/0.12.5/uv-{ARCH}-unknown-linux-gnu.tar.gz");
    mirror.put(&format!("{asset}.sha256"), format!("{}  {}\n", "0".repeat(64), asset.rsplit('/').next().unwrap()));
    let container = container(&users("")).run();
    container.wait_for_ssh();
    container.sh("touch /tmp/before");
    let run = ByHand::run(&container, &config(&mirror, &["uv: {retries: 0}", "script: {run: touch ~/fine}"]), "");
    let error = run.error("uv").unwrap_or_default();
    assert!(run.output.code == 1 && error.contains("checksum"), "{error}\n{:?}", run.output);
    assert_eq!(leftovers(&container), "/home/peid/fine", "others go on, and nothing else is there: {:?}", run.output);

    let pinned = format!("uv: {{retries: 0, sha256: {}}}", "1".repeat(64));
    let run = ByHand::run(&container, &config(&mirror, &[&pinned]), "");
    assert!(
        run.error("uv").unwrap_or_default().contains(&"1".repeat(64)),
        "the config's checksum goes over the published one"
    );

    mirror.put(&format!("{asset}.sha256"), "");
    let page = ByHand::run(&container, &config(&mirror, &["uv: {retries: 0}"]), "");
    assert_eq!(page.output.code, 1, "a release without a checksum is not installed: {:?}", page.output);
}

#[test]
fn a_failing_optional_step_does_not_fail_the_rest_and_what_needs_a_failed_one_is_skipped() {
    let mirror = Mirror::start();
    let container = container(&users("")).run();
    container.wait_for_ssh();
    let steps = [
        "script: {name: bad, run: 'echo the reason; exit 7', retries: 1, optional: true}",
        "script: {name: after-bad, run: 'true', needs: [bad], optional: true}",
        "script: {name: good, run: 'echo done >~/good'}",
    ];
    let run = ByHand::run(&container, &config(&mirror, &steps), "");
    assert_eq!(run.output.code, 0, "{:?}", run.output);
    let failed = run.event("failed", "bad").unwrap_or_else(|| panic!("{:?}", run.output));
    assert!(failed["tail"].to_string().contains("the reason"), "{failed}");
    assert!(failed["command"].as_str().is_some_and(|command| command.contains("--only bad")), "{failed}");
    assert_eq!(run.event("skipped", "after-bad").unwrap()["because"], "bad");
    assert!(run.event("done", "good").is_some());
    assert!(container.sh(&format!("cat {STATE}/logs/bad.log")).contains("the reason"));
}
