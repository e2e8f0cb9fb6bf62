//! Stand-ins for the tools, in the layouts of their publishers. Each does, with the same switches, what a first run asks
//! of the real one, and takes a moment for it.

use std::io::Write;

pub use devinit::digest::sha256;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::server::Server;

/// Says its version, whatever it is asked.
const PROGRAM: &str = "#!/bin/sh\necho \"${0##*/} 1.0\"\n";

/// What all of them begin with: `put FILE` writes one a bit at a time, `rest` leaves the arguments behind `--`.
const BEGIN: &str = r#"#!/bin/sh
set -e
[ "$1" != --version ] || { echo 1.0; exit; }
put() { mkdir -p "${1%/*}"; printf '%s' "${1##*/} " >"$1"; sleep 0.02; echo whole >>"$1"; }
"#;

const PIXI: &str = r#"
while [ "$1" != -- ]; do shift; done; shift
for name; do put "$PIXI_HOME/bin/$name"; put "$PIXI_HOME/envs/$name/conda-meta/history"; done
"#;

const UV: &str = r#"
tools=$HOME/.local/share/uv/tools
[ "$2" != dir ] || { echo "$tools"; exit; }
while [ "$1" != -- ]; do shift; done; shift
put "$tools/$1/bin/$1"; put "$tools/$1/uv-receipt.toml"
ln -sf "$tools/$1/bin/$1" "$UV_TOOL_BIN_DIR/$1"
"#;

const NPM: &str = r#"
while [ "$1" != -- ]; do shift; done; shift
for name; do
    put "$npm_config_prefix/lib/node_modules/$name/package.json"
    ln -sf "../lib/node_modules/$name/package.json" "$npm_config_prefix/bin/$name"
done
"#;

const BUN: &str = r#"
while [ "$1" != -- ]; do shift; done; shift
for name; do put "$BUN_INSTALL_GLOBAL_DIR/node_modules/$name/package.json"; put "$BUN_INSTALL_BIN/$name"; done
"#;

const MICROMAMBA: &str = r#"
while [ "$1" != -n ]; do shift; done
put "$MAMBA_ROOT_PREFIX/envs/$2/bin/rg"; put "$MAMBA_ROOT_PREFIX/envs/$2/conda-meta/history"
"#;

/// The processor, as releases name it.
const UNAME: &str = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86_64" };
const NODE_ARCH: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };

/// Bytes that no compression makes anything of.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A .tar.gz of these files; what begins with `->` is a symlink.
pub fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        if let Some(target) = content.strip_prefix(b"->") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            archive.append_link(&mut header, name, std::str::from_utf8(target).unwrap()).unwrap();
        } else {
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, *content).unwrap();
        }
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(content).unwrap();
    archive.finish().unwrap().into_inner()
}

fn tool(lines: &str) -> Vec<u8> {
    format!("{BEGIN}{lines}").into_bytes()
}

/// Publishes a release on GitHub, with a list of checksums of the first file.
fn release(server: &Server, repository: &str, tag: &str, list: &str, assets: &[(&str, Vec<u8>)]) {
    let releases = format!("/github.com/{repository}/releases");
    server.redirect(&format!("{releases}/latest"), &format!("{releases}/tag/{tag}"));
    let mut sums = String::new();
    for (name, content) in assets {
        sums += &format!("{}  {name}\n", sha256(content));
        server.put(&format!("{releases}/download/{tag}/{name}"), content.clone());
    }
    server.put(&format!("{releases}/download/{tag}/{list}"), sums);
}

/// Publishes all that the steps of [`steps`] ask for.
pub fn publish(server: &Server) {
    let large = noise(200_000);
    let pixi = format!("pixi-{UNAME}-unknown-linux-musl.tar.gz");
    let archive = tar_gz(&[("pixi", &tool(PIXI)), ("large", &large)]);
    release(server, "prefix-dev/pixi", "v0.77.0", &format!("{pixi}.sha256"), &[(&pixi, archive)]);

    let uv = format!("uv-{UNAME}-unknown-linux-gnu.tar.gz");
    let archive = tar_gz(&[("uv-x/uv", &tool(UV)), ("uv-x/uvx", PROGRAM.as_bytes()), ("uv-x/large", &large)]);
    release(server, "astral-sh/uv", "0.12.5", &format!("{uv}.sha256"), &[(&uv, archive)]);

    let processor = if UNAME == "aarch64" { "aarch64" } else { "x64" };
    let archive = zip("bun-linux/bun", &tool(BUN));
    let assets = ["", "-baseline"].map(|suffix| (format!("bun-linux-{processor}{suffix}.zip"), archive.clone()));
    let assets = assets.each_ref().map(|(name, content)| (name.as_str(), content.clone()));
    release(server, "oven-sh/bun", "bun-v1.4.5", "SHASUMS256.txt", &assets);

    let codex = format!("codex-package-{UNAME}-unknown-linux-musl.tar.gz");
    let archive = tar_gz(&[("bin/codex", PROGRAM.as_bytes()), ("codex-path/rg", &large)]);
    release(server, "openai/codex", "rust-v0.169.0", "codex-package_SHA256SUMS", &[(&codex, archive)]);

    let micromamba = if UNAME == "aarch64" { "micromamba-linux-aarch64" } else { "micromamba-linux-64" };
    let assets = [(micromamba, tool(MICROMAMBA))];
    release(server, "mamba-org/micromamba-releases", "2.3.2-0", &format!("{micromamba}.sha256"), &assets);

    let clash = format!("clash-rs-{UNAME}-unknown-linux-gnu");
    release(server, "Watfaq/clash-rs", "v0.10.8", "unused", &[(&clash, large.clone())]);
    publish_node(server);
    publish_claude(server);
    server.put(
        "/tree.tar.gz",
        tar_gz(&[("tree-1/bin/a", PROGRAM.as_bytes()), ("tree-1/b", b"->bin/a"), ("tree-1/c", &large)]),
    );
    for path in ["/tree.tar.gz", &format!("/github.com/astral-sh/uv/releases/download/0.12.5/{uv}")] {
        server.slow(path, Some(1_000_000));
    }
}

fn publish_node(server: &Server) {
    let root = format!("node-v24.19.0-linux-{NODE_ARCH}");
    let inside = |name: &str| format!("{root}/{name}");
    let archive = tar_gz(&[
        (&inside("bin/node"), PROGRAM.as_bytes()),
        (&inside("bin/npm"), b"->../lib/node_modules/npm/bin/npm-cli.js"),
        (&inside("lib/node_modules/npm/bin/npm-cli.js"), &tool(NPM)),
        (&inside("include/large"), &noise(300_000)),
    ]);
    let folder = "/nodejs.org/dist/v24.19.0";
    server.put(&format!("{folder}/SHASUMS256.txt"), format!("{}  {root}.tar.gz\n", sha256(&archive)));
    server.put(&format!("{folder}/{root}.tar.gz"), archive);
    let index = format!(r#"[{{"version":"v24.19.0","files":["linux-{NODE_ARCH}"],"lts":"Krypton"}}]"#);
    server.put("/nodejs.org/dist/index.json", index);
}

fn publish_claude(server: &Server) {
    let program = [PROGRAM.as_bytes(), b"exit\n", &noise(100_000)].concat();
    let folder = "/downloads.claude.ai/claude-code-releases";
    let build = format!(r#"{{"checksum":"{}","size":{}}}"#, sha256(&program), program.len());
    server.put(&format!("{folder}/latest"), "2.1.1");
    server.put(&format!("{folder}/2.1.1/manifest.json"), format!(r#"{{"platforms":{{"linux-{NODE_ARCH}":{build}}}}}"#));
    server.put(&format!("{folder}/2.1.1/linux-{NODE_ARCH}/claude"), program);
}

/// A step of each kind that can be had without a network.
pub fn steps(server: &Server) -> Vec<String> {
    let url = server.url();
    [
        "pixi: {global: [jq, yq]}",
        "uv: {tools: [ruff, black]}",
        "node: {global: [cowsay]}",
        "bun: {global: [mcp]}",
        "claude-code: {}",
        "codex: {}",
        "micromamba: {environments: {tools: [ripgrep]}}",
        "download: {name: clash-rs, github: Watfaq/clash-rs, asset: 'clash-rs-{arch}-unknown-linux-gnu', \
         to: ~/soft/clash, mode: '0755'}",
        &format!("download: {{name: tree, url: '{url}/tree.tar.gz', to: ~/tree, unpack: true, strip: 1}}"),
        "script: {name: setup, path: /opt/setup.sh, args: ['--name=My Project'], creates: [~/project/name]}",
        "script: {name: last, needs: [setup, uv], run: 'sleep 0.1; uv --version >~/last'}",
        "script: {name: for-all, as: root, run: 'echo all >/usr/local/bin/for-all; sleep 0.1'}",
    ]
    .map(str::to_owned)
    .to_vec()
}
