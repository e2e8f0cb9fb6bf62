//! A certificate authority that nobody has heard of.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, crypto::ring};

use super::BRIDGE;
use crate::support::{Output, bounded};

/// An authority, and one certificate of it for the mirror.
pub struct Authority {
    certificate: String,
    server: Arc<ServerConfig>,
}

impl Authority {
    /// A new one, made by openssl.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let names = format!("subjectAltName=IP:{BRIDGE},IP:127.0.0.1,DNS:localhost,DNS:far.example\n");
        fs::write(at.join("names"), names).unwrap();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(
            at,
            &format!(
                "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=devinit-test-authority \
                 -addext keyUsage=critical,keyCertSign"
            ),
        );
        openssl(at, &format!("req {key} -keyout server.key -out server.csr -subj /CN=mirror"));
        openssl(
            at,
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 2 -extfile names -out server.pem",
        );
        let chain = CertificateDer::pem_file_iter(at.join("server.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(at.join("server.key")).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self { certificate: fs::read_to_string(at.join("ca.pem")).unwrap(), server: Arc::new(server) }
    }

    /// Its certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}

fn openssl(folder: &Path, arguments: &str) {
    Output::of(bounded(20, "openssl").current_dir(folder).args(arguments.split_whitespace())).success();
}
