//! Further authorities, for the programs that steps run: each has its own variable for them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::fetch::Failure;
use crate::fetch::client::pem;
use crate::prepare::write::{self, Attributes};
use crate::sorted;

/// Where systems keep their authorities in one file.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// Variables that name a file which is read instead of the system's: OpenSSL and uv, curl, Python's requests, pip, git.
const INSTEAD: [&str; 5] = ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO"];
/// Node.js has its own authorities, and takes these on top.
const ON_TOP: &str = "NODE_EXTRA_CA_CERTS";

/// The variables that make programs trust these authorities on top of the system's: they name a file in `folder`, which
/// is written with all of them. None without further authorities.
///
/// # Errors
/// One of the files cannot be read, or the new one cannot be written.
pub fn variables(further: &[PathBuf], folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    if further.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut all = Vec::new();
    for path in further {
        all.extend(pem(path)?.into_bytes());
    }
    let system = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from).into_iter().chain(SYSTEM.map(PathBuf::from));
    let of_system = |path: PathBuf| pem(&path).ok().filter(|pem| !pem.is_empty());
    all.extend(system.into_iter().find_map(of_system).unwrap_or_default().into_bytes());
    let bundle = folder.join("certificates.pem");
    write::write_if_changed(&bundle, &all, Attributes::own(0o644))
        .map_err(|error| Failure::permanent(error.to_string()))?;
    let bundle = bundle.to_string_lossy().into_owned();
    Ok(sorted::map(INSTEAD.into_iter().chain([ON_TOP]).map(|name| (name.to_owned(), bundle.clone()))))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn programs_get_the_further_authorities_and_the_systems_in_one_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(variables(&[], folder.path()).unwrap().is_empty());
        let own = folder.path().join("own.pem");
        let certificate = "-----BEGIN CERTIFICATE-----\nT1dO\n-----END CERTIFICATE-----\n";
        fs::write(&own, format!("# ours\n{certificate}")).unwrap();
        let variables = variables(&[own], folder.path()).unwrap();
        let bundle = fs::read_to_string(&variables["SSL_CERT_FILE"]).unwrap();
        assert!(bundle.starts_with(certificate));
        assert_eq!(variables["NODE_EXTRA_CA_CERTS"], variables["PIP_CERT"]);
        assert_eq!(variables.len(), 6);
    }

    #[test]
    fn a_link_to_what_only_root_can_read_tells_nobody_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, own) = (folder.path().join("shadow"), folder.path().join("own.pem"));
        let certificate = "-----BEGIN CERTIFICATE-----";
        fs::write(&secret, format!("root:$6$hash:1:\n{certificate}\nroot:$6$hash\n-----END CERTIFICATE-----\n"))
            .unwrap();
        std::os::unix::fs::symlink(&secret, &own).unwrap();
        let variables = variables(std::slice::from_ref(&own), folder.path()).unwrap();
        assert!(!fs::read_to_string(&variables["SSL_CERT_FILE"]).unwrap().contains("hash"));
        fs::remove_file(&own).unwrap();
        nix::unistd::mkfifo(&own, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(super::variables(&[own], folder.path()).is_err(), "nobody waits for a FIFO");
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let failure = variables(&["/no/such.pem".into()], folder.path()).unwrap_err();
        assert!(failure.text.contains("/no/such.pem"), "{failure}");
    }
}
