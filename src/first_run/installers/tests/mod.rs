//! The tools, installed from a mirror that is a folder, with scripts for programs.

mod world;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use self::world::{FOREIGN, PROGRAM, World, sha256, tar_gz, write, zip};
use super::target::Target;
use super::{code_server, codex, micromamba, ollama, parts, pixi, uv};
use crate::config::first_run::{self as config, Step};
use crate::fetch::Retry;
use crate::first_run::source::{Arch, Sources};
use crate::first_run::{Installed, Place};

fn uname() -> &'static str {
    Arch::own().uname()
}

fn uv_step(version: Option<&str>, sha256: Option<String>) -> Step {
    Step::Uv(config::Uv { version: version.map(str::to_owned), sha256, ..config::Uv::default() })
}

fn node_step(version: &str) -> Step {
    Step::Node(config::Node { version: Some(version.to_owned()), ..config::Node::default() })
}

/// Publishes uv, and returns its archive's checksum.
fn publish_uv(world: &World, program: &str) -> String {
    let asset = format!("uv-{}-unknown-linux-{}.tar.gz", uname(), Target::own().libc());
    let content = tar_gz(&[("uv-x/uv", program), ("uv-x/uvx", PROGRAM)]);
    world.redirect_latest("astral-sh/uv", "0.12.5");
    world.release("github.com/astral-sh/uv/releases/download/0.12.5", &asset, &format!("{asset}.sha256"), &content);
    sha256(&content)
}

fn publish_node(world: &World, version: &str, extra: &[(&str, &str)]) {
    let root = format!("node-v{version}-linux-{}", Arch::own().node());
    let mut files = vec![
        ("bin/node", PROGRAM),
        ("bin/npm", "->../lib/node_modules/npm/bin/npm-cli.js"),
        ("bin/npx", "->../lib/node_modules/npm/bin/npx-cli.js"),
        ("lib/node_modules/npm/bin/npm-cli.js", PROGRAM),
        ("lib/node_modules/npm/bin/npx-cli.js", PROGRAM),
    ];
    files.extend(extra);
    let files: Vec<(String, &str)> = files.iter().map(|(name, content)| (format!("{root}/{name}"), *content)).collect();
    let content = tar_gz(&files.iter().map(|(name, content)| (name.as_str(), *content)).collect::<Vec<_>>());
    let folder = format!("nodejs.org/dist/v{version}");
    world.release(&folder, &format!("{root}.tar.gz"), "SHASUMS256.txt", &content);
}

#[test]
fn uv_is_two_programs() {
    let mut world = World::new();
    publish_uv(&world, PROGRAM);
    for version in [None, Some("latest"), Some("0.12.5"), Some("v0.12.5")] {
        let installed = world.install(&uv_step(version, None)).unwrap();
        assert_eq!(installed.version.as_deref(), Some("0.12.5"));
        assert_eq!(installed.files, [".local/bin/uv", ".local/bin/uvx"].map(|file| world.path("home").join(file)));
    }
    assert_eq!(world.tree(), [".local/bin/uv", ".local/bin/uvx"]);
    assert_eq!(world.run(".local/bin/uvx"), "uvx --version\n");
    assert_eq!(world.warnings, [""; 0]);
}

#[test]
fn a_wrong_checksum_installs_nothing_and_the_configs_goes_over_the_published_one() {
    let mut world = World::new();
    let sum = publish_uv(&world, PROGRAM);
    let wrong = Some(sha256(b"something else"));
    world.install(&uv_step(None, wrong)).unwrap_err();
    assert_eq!(world.tree(), [""; 0]);
    let asset = format!("uv-{}-unknown-linux-{}.tar.gz", uname(), Target::own().libc());
    let list = format!("github.com/astral-sh/uv/releases/download/0.12.5/{asset}.sha256");
    world.publish(&list, format!("{}  {asset}\n", sha256(b"tampered with")));
    world.install(&uv_step(None, None)).unwrap_err();
    assert_eq!(world.tree(), [""; 0]);
    world.publish(&list, format!("{sum}  another-file\n"));
    let failure = world.install(&uv_step(None, None)).unwrap_err();
    assert!(failure.text.contains("has no checksum for uv-") && failure.retry == Retry::Never, "{failure}");
    world.install(&uv_step(None, Some(sum.to_uppercase()))).unwrap();
}

#[test]
fn a_build_that_does_not_run_is_not_put_into_place() {
    let mut world = World::new();
    publish_uv(&world, FOREIGN);
    let failure = world.install(&uv_step(None, None)).unwrap_err();
    assert!(failure.text.starts_with("uv 0.12.5 does not run here: "), "{failure}");
    assert!(failure.hint.unwrap().contains(uname()));
    assert_eq!(failure.retry, Retry::Never);
    assert_eq!(world.tree(), [""; 0]);
}

#[test]
fn a_version_that_is_not_there_says_where_to_look() {
    let mut world = World::new();
    publish_uv(&world, PROGRAM);
    let failure = world.install(&uv_step(Some("0.99.0"), None)).unwrap_err();
    assert!(failure.hint.as_deref().is_some_and(|hint| !hint.is_empty()), "{failure:?}");
    assert_eq!(failure.retry, Retry::Never);
}

#[test]
fn a_version_that_leads_elsewhere_asks_nobody() {
    let mut world = World::new();
    let claude = config::ClaudeCode { version: Some("../../x".to_owned()), ..config::ClaudeCode::default() };
    for step in [uv_step(Some("../../x"), None), node_step("24/../../x"), Step::ClaudeCode(claude)] {
        let failure = world.install(&step).unwrap_err();
        assert!(failure.text.contains("is not a version"), "{failure}");
    }
}

#[test]
fn pixi_and_bun_have_folders_of_their_own() {
    for mut world in [World::new(), World::system()] {
        let pixi = format!("pixi-{}-unknown-linux-musl.tar.gz", uname());
        let content = tar_gz(&[("pixi", PROGRAM)]);
        let folder = "github.com/prefix-dev/pixi/releases/download/v0.77.0";
        world.release(folder, &pixi, &format!("{pixi}.sha256"), &content);
        world.redirect_latest("prefix-dev/pixi", "v0.77.0");
        // Whatever this machine has: all of them.
        let processor = if uname() == "aarch64" { "aarch64" } else { "x64" };
        let content = zip("bun-linux-x64/bun", PROGRAM);
        let folder = "github.com/oven-sh/bun/releases/download/bun-v1.4.5";
        let mut list = String::new();
        for suffix in ["", "-baseline", "-musl", "-musl-baseline"] {
            let asset = format!("bun-linux-{processor}{suffix}.zip");
            world.publish(&format!("{folder}/{asset}"), &content);
            list.push_str(&format!("{}  {asset}\n", sha256(&content)));
        }
        world.publish(&format!("{folder}/SHASUMS256.txt"), list);
        world.redirect_latest("oven-sh/bun", "bun-v1.4.5");

        let pixi = world.install(&Step::Pixi(config::Pixi::default())).unwrap();
        let bun = world.install(&Step::Bun(config::Bun::default())).unwrap();
        assert_eq!((pixi.version.as_deref(), bun.version.as_deref()), (Some("0.77.0"), Some("1.4.5")));
        let (bun, pixi) = if world.place.system { ("share/bun", "share/pixi") } else { (".bun", ".pixi") };
        assert_eq!(world.tree(), [format!("{bun}/bin/bun"), format!("{bun}/bin/bunx"), format!("{pixi}/bin/pixi")]);
        assert_eq!(world.run(&format!("{bun}/bin/bunx")), "bunx --version\n");
        assert_eq!(
            parts(&Step::Bun(config::Bun::default()), &world.place)[0].path,
            [world.place.own("bun").join("bin")]
        );
    }
}

#[test]
fn node_has_a_folder_for_its_version_and_an_update_replaces_it() {
    for mut world in [World::new(), World::system()] {
        publish_node(&world, "22.11.0", &[("bin/corepack", PROGRAM)]);
        publish_node(&world, "24.19.0", &[]);
        let files = format!(r#"["linux-{}"]"#, Arch::own().node());
        let index = format!(
            r#"[{{"version":"v24.19.0","files":{files},"lts":"Krypton"}},
                {{"version":"v22.11.0","files":{files},"lts":"Jod"}}]"#
        );
        world.publish("nodejs.org/dist/index.json", index);
        let (share, bin) = if world.place.system { ("share", "bin") } else { (".local/share", ".local/bin") };

        world.install(&node_step("lts/jod")).unwrap();
        assert!(world.place.base.join(bin).join("corepack").exists());
        let installed = world.install(&Step::Node(config::Node::default())).unwrap();
        assert_eq!(installed.version.as_deref(), Some("24.19.0"));
        let tree = format!("{share}/devinit/node/24.19.0");
        let mut expected: Vec<String> = ["node", "npm", "npx"].map(|name| format!("{bin}/{name}")).to_vec();
        expected.extend(["bin/node", "bin/npm", "bin/npx"].map(|name| format!("{tree}/{name}")));
        expected.extend(
            ["bin/npm-cli.js", "bin/npx-cli.js", "npmrc"].map(|name| format!("{tree}/lib/node_modules/npm/{name}")),
        );
        assert_eq!(world.tree(), expected, "without corepack, and without 22.11.0");
        assert_eq!(world.run(&format!("{bin}/npm")), "npm --version\n");
        let npmrc = fs::read_to_string(world.place.base.join(tree).join("lib/node_modules/npm/npmrc")).unwrap();
        assert!(npmrc.starts_with("prefix="), "{npmrc}");
    }
}

#[test]
fn claude_code_is_placed_as_its_updater_would_and_older_versions_stay() {
    let mut world = World::new();
    let platform = format!("linux-{}{}", Arch::own().node(), Target::own().musl_suffix());
    for version in ["2.1.0", "2.1.1"] {
        let folder = format!("downloads.claude.ai/claude-code-releases/{version}");
        let (sum, size) = (sha256(PROGRAM.as_bytes()), PROGRAM.len());
        let build = format!(r#"{{"binary":"claude","checksum":"{sum}","size":{size}}}"#);
        world.publish(&format!("{folder}/manifest.json"), format!(r#"{{"platforms":{{"{platform}":{build}}}}}"#));
        world.publish(&format!("{folder}/{platform}/claude"), PROGRAM);
    }
    world.publish("downloads.claude.ai/claude-code-releases/stable", "2.1.0");
    world.publish("downloads.claude.ai/claude-code-releases/latest", "2.1.1\n");
    let step = |version: Option<&str>| {
        let version = version.map(str::to_owned);
        Step::ClaudeCode(config::ClaudeCode { version, ..config::ClaudeCode::default() })
    };
    world.install(&step(Some("stable"))).unwrap();
    let installed = world.install(&step(None)).unwrap();
    assert_eq!(installed.version.as_deref(), Some("2.1.1"));
    let versions = ".local/share/claude/versions";
    assert_eq!(
        world.tree(),
        [".local/bin/claude".to_owned(), format!("{versions}/2.1.0"), format!("{versions}/2.1.1")]
    );
    assert_eq!(
        fs::read_link(world.path("home/.local/bin/claude")).unwrap(),
        Path::new("../share/claude/versions/2.1.1")
    );
    assert_eq!(world.run(".local/bin/claude"), "claude --version\n");

    world.publish("downloads.claude.ai/claude-code-releases/latest", "<!DOCTYPE html>\n<title>Sign in</title>\n");
    let failure = world.install(&step(None)).unwrap_err();
    assert!(failure.text.contains("is not a version"), "{failure}");
}

#[test]
fn codex_ollama_and_code_server_are_folders_with_a_link() {
    let mut world = World::new();
    let codex = format!("codex-package-{}-unknown-linux-musl.tar.gz", uname());
    let content = tar_gz(&[("bin/codex", PROGRAM), ("codex-path/rg", PROGRAM)]);
    let folder = "github.com/openai/codex/releases/download/rust-v0.169.0";
    world.release(folder, &codex, "codex-package_SHA256SUMS", &content);
    world.redirect_latest("openai/codex", "rust-v0.169.0");

    let debian = Arch::own().debian();
    let ollama = format!("ollama-linux-{debian}.tgz");
    let content = tar_gz(&[("./bin/ollama", PROGRAM), ("./lib/ollama/libggml.so", "")]);
    let folder = "github.com/ollama/ollama/releases/download/v0.13.0";
    world.publish(&format!("{folder}/{ollama}"), &content);
    world.publish(&format!("{folder}/sha256sum.txt"), format!("{}  ./{ollama}\n", sha256(&content)));

    let code_server = format!("code-server-4.139.1-linux-{debian}");
    let content = tar_gz(&[(&format!("{code_server}/bin/code-server"), PROGRAM)]);
    let folder = "github.com/coder/code-server/releases/download/v4.139.1";
    world.publish(&format!("{folder}/{code_server}.tar.gz"), &content);
    world.redirect_latest("coder/code-server", "v4.139.1");

    world.install(&Step::Codex(config::Codex::default())).unwrap();
    let version = Some("0.13.0".to_owned());
    world.install(&Step::Ollama(config::Ollama { version, ..config::Ollama::default() })).unwrap();
    world.install(&Step::CodeServer(config::CodeServer::default())).unwrap();
    assert_eq!(
        world.tree(),
        [
            ".local/bin/code-server",
            ".local/bin/codex",
            ".local/bin/ollama",
            ".local/share/devinit/code-server/4.139.1/bin/code-server",
            ".local/share/devinit/codex/0.169.0/bin/codex",
            ".local/share/devinit/codex/0.169.0/codex-path/rg",
            ".local/share/devinit/ollama/0.13.0/bin/ollama",
            ".local/share/devinit/ollama/0.13.0/lib/ollama/libggml.so",
        ]
    );
    let warning =
        format!("no checksum is published for {code_server}.tar.gz; pin one with sha256: {}", sha256(&content));
    assert_eq!(world.warnings, [warning]);
}

#[test]
fn micromamba_is_one_program() {
    let mut world = World::new();
    let asset = if uname() == "aarch64" { "micromamba-linux-aarch64" } else { "micromamba-linux-64" };
    let folder = "github.com/mamba-org/micromamba-releases/releases/download/2.3.2-0";
    world.publish(&format!("{folder}/{asset}"), PROGRAM);
    world.publish(&format!("{folder}/{asset}.sha256"), sha256(PROGRAM.as_bytes()));
    world.redirect_latest("mamba-org/micromamba-releases", "2.3.2-0");
    let installed = world.install(&Step::Micromamba(config::Micromamba::default())).unwrap();
    assert_eq!(installed.version.as_deref(), Some("2.3.2-0"));
    assert_eq!(world.tree(), [".local/bin/micromamba"]);
    assert_eq!(world.run(".local/bin/micromamba"), "micromamba --version\n");
}

#[test]
fn a_release_called_latest_is_passed_over() {
    let mut world = World::new();
    world.redirect_latest("Watfaq/clash-rs", "latest");
    let link = |tag| format!("<link href=\"https://github.com/Watfaq/clash-rs/releases/tag/{tag}\"/>");
    world.publish(
        "github.com/Watfaq/clash-rs/releases.atom",
        [link("latest"), link("v0.9.12"), link("v0.10.8"), link("v0.11.0-rc.1")].concat(),
    );
    let asset = format!("clash-rs-{}-unknown-linux-gnu", uname());
    world.publish(&format!("github.com/Watfaq/clash-rs/releases/download/v0.10.8/{asset}"), PROGRAM);
    let to = world.path("home/soft/app/clash/clash");
    let installed = world
        .install(&Step::Download(config::Download {
            github: Some("Watfaq/clash-rs".to_owned()),
            asset: Some("clash-rs-{arch}-unknown-linux-gnu".to_owned()),
            to: to.clone(),
            mode: Some("0755".to_owned()),
            ..config::Download::default()
        }))
        .unwrap();
    assert_eq!(installed, Installed { version: Some("0.10.8".to_owned()), files: vec![to.clone()] });
    assert_eq!(to.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
    assert!(world.warnings[0].starts_with(&format!("no checksum is published for {asset}; pin one with sha256: ")));
}

#[test]
fn a_mirror_without_redirects_is_asked_for_its_feed() {
    let mut world = World::new();
    publish_uv(&world, PROGRAM);
    fs::remove_file(world.path("mirror/github.com/astral-sh/uv/releases/latest.location")).unwrap();
    let failure = world.install(&uv_step(None, None)).unwrap_err();
    assert!(failure.text.contains("releases/latest"), "{failure}");
    let link = "<link href=\"https://github.com/astral-sh/uv/releases/tag/0.12.5\"/>";
    world.publish("github.com/astral-sh/uv/releases.atom", link);
    assert_eq!(world.install(&uv_step(None, None)).unwrap().version.as_deref(), Some("0.12.5"));
}

#[test]
fn an_archive_is_unpacked_as_a_folder_or_for_one_file() {
    let mut world = World::new();
    let content = tar_gz(&[("tool-1.0/bin/tool", PROGRAM), ("tool-1.0/README", "read me")]);
    world.publish("tool-1.0.tar.gz", &content);
    let download = |to: &str| config::Download {
        url: Some(format!("file://{}/tool-{{version}}.tar.gz", world.path("mirror").display())),
        version: Some("1.0".to_owned()),
        sha256: Some(sha256(&content)),
        to: world.path("home").join(to),
        ..config::Download::default()
    };
    let folder = config::Download { unpack: true, strip: 1, ..download("tool") };
    let member = Some("tool-{version}/bin/tool".to_owned());
    let file = config::Download { member, mode: Some("0700".to_owned()), ..download("bin/tool") };
    let plain = download("kept.tar.gz");
    for step in [&folder, &folder, &file, &plain] {
        world.install(&Step::Download(step.clone())).unwrap();
    }
    assert_eq!(world.tree(), ["bin/tool", "kept.tar.gz", "tool/.devinit-download", "tool/README", "tool/bin/tool"]);
    assert_eq!(world.run("bin/tool"), "tool --version\n");

    write(&world.path("home/precious/work"), b"of a week");
    let careless = config::Download { to: world.path("home/precious"), ..folder };
    world.install(&Step::Download(careless)).unwrap_err();
    assert!(world.path("home/precious/work").exists());
}

#[test]
fn what_was_collected_is_enough_to_install_from() {
    let mut world = World::new();
    publish_uv(&world, PROGRAM);
    publish_node(&world, "24.19.0", &[]);
    let index = format!(r#"[{{"version":"v24.19.0","files":["linux-{}"],"lts":"Krypton"}}]"#, Arch::own().node());
    world.publish("nodejs.org/dist/index.json", index);
    let bundle = world.path("bundle");
    let steps = [uv_step(None, None), Step::Node(config::Node::default())];
    for step in &steps {
        let part = parts(step, &world.place).remove(0);
        assert_eq!(world.with_job(Some(&bundle), |job| part.installer.collect(job)), Ok(true));
    }
    assert_eq!(world.tree(), [""; 0], "nothing is installed");
    // Once more, it fetches nothing that is there.
    fs::remove_dir_all(world.path("work")).unwrap();
    world.remove_archives();
    for step in &steps {
        let part = parts(step, &world.place).remove(0);
        assert_eq!(world.with_job(Some(&bundle), |job| part.installer.collect(job)), Ok(true));
    }
    fs::remove_dir_all(world.path("mirror")).unwrap();
    let _ = fs::remove_dir_all(world.path("work"));
    world.sources = Sources { bundle: Some(bundle), ..Sources::default() };
    let versions = steps.map(|step| world.install(&step).unwrap().version.unwrap());
    assert_eq!(versions, ["0.12.5", "24.19.0"]);
}

/// A uv that has a package once it was asked for it with a network.
const UV_WITH_TOOLS: &str = "#!/bin/sh
[ \"$1\" = tool ] || { echo uv; exit; }
case \"$*\" in
    *--offline*) mkdir -p \"$UV_TOOL_DIR\" && cp \"$UV_CACHE_DIR/package\" \"$UV_TOOL_DIR\" ;;
    *) echo content >\"$UV_CACHE_DIR/package\" ;;
esac";

#[test]
fn what_a_tool_installs_is_collected_with_the_tool_of_the_bundle() {
    let mut world = World::new();
    publish_uv(&world, UV_WITH_TOOLS);
    let bundle = world.path("bundle");
    let step = Step::Uv(config::Uv { tools: vec!["x".to_owned()], ..config::Uv::default() });
    let part = parts(&step, &world.place).remove(1);
    assert!(part.installer.collects_with_a_tool());
    assert_eq!(world.with_job(Some(&bundle), |job| part.installer.collect(job)), Ok(true));
    let kept = fs::read_dir(bundle.join("uv")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read_to_string(kept.join("cache/package")).unwrap(), "content\n");
    assert_eq!(world.tree(), [""; 0], "nothing is installed");
}

#[test]
fn a_step_has_a_part_for_what_its_tool_installs() {
    let list = || vec!["x".to_owned()];
    let steps = [
        Step::Pixi(config::Pixi { global: list(), ..config::Pixi::default() }),
        Step::Uv(config::Uv { python: list(), tools: list(), ..config::Uv::default() }),
        Step::Node(config::Node { global: list(), ..config::Node::default() }),
        Step::Bun(config::Bun { global: list(), ..config::Bun::default() }),
        Step::Micromamba(config::Micromamba {
            environments: [("x".to_owned(), list())].into(),
            ..config::Micromamba::default()
        }),
        Step::Ollama(config::Ollama { models: list(), ..config::Ollama::default() }),
        Step::CodeServer(config::CodeServer { extensions: list(), ..config::CodeServer::default() }),
    ];
    for step in &steps {
        let parts = parts(step, &Place::home(Path::new("/home/peid")));
        assert_eq!(parts[0].suffix, "", "{}: the tool comes first", step.kind());
        assert_eq!(parts.len(), if step.kind() == "uv" { 3 } else { 2 }, "{}", step.kind());
        assert!(parts[1..].iter().all(|part| !part.suffix.is_empty()), "{}", step.kind());
    }
}

#[test]
fn each_kind_of_machine_gets_its_build() {
    let names = |arch, musl| {
        let target = Target { arch, musl, avx2: true };
        let all = [
            uv::RELEASES,
            pixi::RELEASES,
            micromamba::RELEASES,
            codex::RELEASES,
            ollama::RELEASES,
            code_server::RELEASES,
        ];
        all.into_iter().flat_map(|releases| (releases.assets)(target, "1.2.3")).collect::<Vec<_>>()
    };
    assert_eq!(
        names(Arch::X86, false),
        [
            "uv-x86_64-unknown-linux-gnu.tar.gz",
            "pixi-x86_64-unknown-linux-musl.tar.gz",
            "micromamba-linux-64",
            "codex-package-x86_64-unknown-linux-musl.tar.gz",
            "ollama-linux-amd64.tar.zst",
            "ollama-linux-amd64.tgz",
            "code-server-1.2.3-linux-amd64.tar.gz",
        ]
    );
    assert_eq!(
        names(Arch::Arm, true),
        [
            "uv-aarch64-unknown-linux-musl.tar.gz",
            "pixi-aarch64-unknown-linux-musl.tar.gz",
            "micromamba-linux-aarch64",
            "codex-package-aarch64-unknown-linux-musl.tar.gz",
            "ollama-linux-arm64.tar.zst",
            "ollama-linux-arm64.tgz",
            "code-server-1.2.3-linux-arm64.tar.gz",
        ]
    );
}

#[test]
fn a_key_holds_what_the_config_asks_for_and_nothing_of_the_machine() {
    let place = Place::home(Path::new("/home/peid"));
    let part = |step: &Step| parts(step, &place).remove(0).installer;
    let key = part(&node_step("24")).key();
    assert_eq!(key, serde_json::json!({"kind": "node", "version": "24", "sha256": null}));
    assert_eq!(part(&Step::Node(config::Node::default())).key()["version"], "lts");
    assert_eq!(part(&uv_step(None, None)).key(), part(&uv_step(Some("latest"), None)).key());
    assert_ne!(part(&uv_step(None, Some(sha256(b"")))).key(), part(&uv_step(None, None)).key());
    assert_eq!(part(&uv_step(None, None)).summary(), "uv latest");
}
