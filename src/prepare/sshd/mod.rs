//! sshd's config: devinit's own file in `/run/devinit`, so that no file of the image has to be edited.

mod capabilities;
mod check;
mod image;
mod set_env;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::config::model::PermitRootLogin;

pub use capabilities::{capabilities_missing, capabilities_note};
pub use check::{CheckError, check, find_sshd, understands_escapes};
pub use image::{ImageConfig, read_image_config};
pub use set_env::{left_out, needs_escapes};

/// What sshd is told.
#[derive(Clone)]
pub struct SshdWanted {
    /// The port that it listens on.
    pub port: u16,
    /// Addresses that it listens on; empty: all.
    pub listen: Vec<String>,
    /// Whether there is IPv6, on the loopback at least.
    pub ipv6: bool,
    /// The file that is there when it listens.
    pub pid_file: PathBuf,
    /// The private host keys.
    pub host_keys: Vec<PathBuf>,
    /// The folder with a file of authorized keys for each user (`/etc/devinit/keys`).
    pub keys_folder: PathBuf,
    /// Whether sshd looks at the owners and modes of the folders that lead to a key file. It takes /tmp for a place where
    /// anybody may have put it, though a private folder there is as good as any.
    pub strict_modes: bool,
    /// Whether the keys in the users' homes count, too.
    pub home_keys: bool,
    /// Whether and how root may log in.
    pub permit_root_login: PermitRootLogin,
    /// Whether a password opens the door.
    pub password_authentication: bool,
    /// Whether sshd goes through PAM.
    pub use_pam: bool,
    /// X11 forwarding.
    pub x11_forwarding: bool,
    /// The environment of all sessions.
    pub environment: BTreeMap<String, String>,
    /// PATH, for users that have their own.
    pub paths: BTreeMap<String, String>,
    /// Whether this sshd reads `\"` and `#` in values: see [`understands_escapes`].
    pub escapes: bool,
    /// What the image's own sshd_config sets beyond this.
    pub image: ImageConfig,
}

/// devinit's sshd_config. Of a directive that stands twice the first counts, so what devinit sets comes first, and what
/// the image sets beyond it stays effective.
pub fn render(wanted: &SshdWanted) -> String {
    let yes = |on: bool| if on { "yes" } else { "no" };
    let mut text = String::from("# Written by devinit at each boot; change it in devinit's config (ssh:).\n");
    let mut line = |key: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key} {value}");
    };
    line("Port", &wanted.port.to_string());
    if !wanted.ipv6 {
        // Docker's networks have no ::1, and sshd gives X11 forwarding up where it cannot listen on both loopbacks.
        line("AddressFamily", "inet");
    }
    for address in wanted.listen.iter().filter(|address| is_word(address)) {
        line("ListenAddress", address);
    }
    for key in &wanted.host_keys {
        line("HostKey", &quoted_path(key));
    }
    // A key file outside the homes works whatever a mounted home's owner and mode; StrictModes stays on for the other.
    let keys = quoted_path(&wanted.keys_folder.join("%u"));
    line("AuthorizedKeysFile", &if wanted.home_keys { format!("{keys} .ssh/authorized_keys") } else { keys });
    line("PubkeyAuthentication", "yes");
    line(
        "PermitRootLogin",
        match wanted.permit_root_login {
            PermitRootLogin::Yes => "yes",
            PermitRootLogin::ProhibitPassword => "prohibit-password",
            PermitRootLogin::No => "no",
        },
    );
    line("PasswordAuthentication", yes(wanted.password_authentication));
    line("PermitEmptyPasswords", "no");
    // Through PAM this asks for the password as well, and before OpenSSH 8.7 only the second name closes it.
    let interactive = yes(wanted.password_authentication && wanted.use_pam);
    line("KbdInteractiveAuthentication", interactive);
    line("ChallengeResponseAuthentication", interactive);
    line("UsePAM", yes(wanted.use_pam));
    if !wanted.strict_modes {
        line("StrictModes", "no");
    }
    line("X11Forwarding", yes(wanted.x11_forwarding));
    line("X11UseLocalhost", "yes");
    // VS Code Remote and the like live on forwarding.
    line("AllowTcpForwarding", "yes");
    line("AllowAgentForwarding", "yes");
    line("PermitUserEnvironment", "no");
    line("PrintMotd", "no");
    line("PrintLastLog", "no");
    line("AcceptEnv", "LANG LC_*");
    // Written once it listens: the one sign of that which leaves no trace in sshd's log, as a connection would.
    line("PidFile", &quoted_path(&wanted.pid_file));
    // Inside sshd: no program that an image may lack, and no shell whose greeting would break the protocol.
    line("Subsystem", "sftp internal-sftp");
    // Keeps NAT tables warm; a laptop may sleep for ten minutes before its session is given up.
    line("ClientAliveInterval", "60");
    line("ClientAliveCountMax", "10");
    // Editors and deploy scripts open dozens of connections at once; sshd's own limit of 10 turns some away.
    line("MaxStartups", "60:30:200");
    line("LogLevel", "INFO");
    if let Some(pairs) = set_env::line(&wanted.environment, wanted.escapes) {
        line("SetEnv", &pairs);
    }
    let image = |lines: &[String]| match lines {
        [] => String::new(),
        lines => format!("\n# From the image's own sshd_config.\n{}\n", lines.join("\n")),
    };
    text.push_str(&image(&wanted.image.global));
    // Behind all that is for everyone, since a block ends only where the next one begins; and before the image's blocks,
    // since of blocks for the same user the first one's SetEnv counts.
    text.push_str(&blocks(wanted));
    text.push_str(&image(&wanted.image.blocks));
    text
}

/// A block for each user that has a PATH of its own. Its SetEnv takes the place of everyone's as a whole.
fn blocks(wanted: &SshdWanted) -> String {
    let block = |(user, path): (&String, &String)| {
        if !is_matchable(user) || !set_env::fits("PATH", path, wanted.escapes) {
            return None;
        }
        let mut environment = wanted.environment.clone();
        environment.insert("PATH".to_owned(), path.clone());
        let pairs = set_env::line(&environment, wanted.escapes)?;
        Some(format!("\n# With the tools of {user}.\nMatch User {user}\nSetEnv {pairs}\n"))
    };
    wanted.paths.iter().filter_map(block).collect()
}

/// Whether `Match User NAME` means the user of this name and nobody else: sshd's patterns have no way to write one of
/// their own characters.
pub fn is_matchable(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.$@+".contains(&byte);
    !name.is_empty() && name.bytes().all(plain)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"' || c == '#')
}

fn quoted_path(path: &Path) -> String {
    let path = path.to_string_lossy();
    if is_word(&path) { path.into_owned() } else { format!("\"{path}\"") }
}

#[cfg(test)]
mod tests;
