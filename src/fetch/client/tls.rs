//! Whom TLS trusts.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::super::Failure;
use super::local;

/// The system's certificates (`SSL_CERT_FILE` is honoured), or Mozilla's, and these files' on top: those of the system
/// know the proxy that looks into TLS, and minimal images have none.
///
/// # Errors
/// One of the files cannot be read, or holds no certificate.
pub(super) fn config(files: &[PathBuf]) -> Result<TlsConfig, Failure> {
    let mut roots = rustls_native_certs::load_native_certs().certs;
    if roots.is_empty() {
        roots = mozillas();
    }
    for file in files {
        roots.extend(read(file)?);
    }
    let roots = roots.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(CryptoProvider {
            key_provider: &NoKeys,
            ..ring::default_provider()
        }))
        .build())
}

/// Nobody asks devinit for a certificate of its own: what reads private keys, and signs with them, is left out.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("there are no keys for clients".to_owned()))
    }
}

/// Mozilla's certificates in DER, one after the other, compressed by build.rs.
const MOZILLAS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/certificates.z"));

fn mozillas() -> Vec<CertificateDer<'static>> {
    let mut all = Vec::new();
    // Nothing but the build has written them, so they can be read.
    let _ = flate2::read::ZlibDecoder::new(MOZILLAS).read_to_end(&mut all);
    let mut rest = all.as_slice();
    // Each is a SEQUENCE (0x30) whose length takes the two bytes after 0x82: it is from 256 to 65535.
    std::iter::from_fn(|| {
        let [0x30, 0x82, high, low, ..] = *rest else { return None };
        let (certificate, others) = rest.split_at_checked(4 + usize::from(u16::from_be_bytes([high, low])))?;
        rest = others;
        Some(CertificateDer::from(certificate.to_vec()))
    })
    .collect()
}

/// What is to be done about a file that is none of certificates.
const HINT: &str = "first_run.certificates takes files of certificates in PEM: -----BEGIN CERTIFICATE-----";

/// The certificates in a file, as PEM and without anything that stands around them: the file may be a link that its
/// user has laid to what only root can read.
///
/// # Errors
/// It cannot be read, is no file, or is longer than 4 MiB.
pub fn pem(file: &Path) -> Result<String, Failure> {
    let text = local::text(file, 4 << 20).map_err(|failure| failure.hint(HINT))?;
    Ok(blocks(&text).collect())
}

/// Each from `-----BEGIN` to the end of the line with `-----END`.
fn blocks(text: &str) -> impl Iterator<Item = String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    text.split(BEGIN).skip(1).filter_map(|rest| {
        let (body, _) = rest.split_once(END)?;
        let is_base64 = body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=\r\n \t".contains(&byte));
        is_base64.then(|| format!("{BEGIN}{body}{END}\n"))
    })
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let (hint, shown) = (HINT, file.display());
    let text = local::text(file, 4 << 20).map_err(|failure| failure.hint(hint))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let broken = |_| Failure::permanent(format!("a certificate in {shown} is broken")).hint(hint);
    let certificates = certificates.map_err(|_| broken(()))?;
    // ureq passes over those that cannot be used.
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|_| broken(()))?;
    }
    if certificates.is_empty() {
        return Err(Failure::permanent(format!("there is no certificate in {shown}")).hint(hint));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_certificate_of_mozillas_can_be_trusted() {
        let mut store = RootCertStore::empty();
        for certificate in mozillas() {
            store.add(certificate).unwrap();
        }
        assert!(store.len() > 100, "{}", store.len());
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        assert!(read(&file).unwrap_err().text.contains(&format!("there is no file {}", file.display())));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (content, text) in [("", "no certificate in"), ("hello", "no certificate in"), (broken, "is broken")] {
            std::fs::write(&file, content).unwrap();
            let failure = config(std::slice::from_ref(&file)).unwrap_err();
            assert!(failure.text.contains(text) && failure.text.contains("ca.pem"), "{content}: {failure}");
        }
    }
}
