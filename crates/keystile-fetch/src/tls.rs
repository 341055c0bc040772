//! Whom we believe: the machine's certificate authorities and those of `extra_ca_file`.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use crate::SetupError;

/// TLS 1.2 and 1.3 for HTTP/1.1, verified by the platform; also for upstreams that an operator named.
///
/// # Errors
/// The machine has no certificate authorities, or the file is no good.
pub fn client_config(extra_ca_file: Option<&Path>) -> Result<ClientConfig, SetupError> {
    let extra = extra_ca_file.map(certificates).transpose()?;
    believing(extra.unwrap_or_default())
}

/// The same, with these authorities beside the machine's. It reads many files: not on a thread that
/// others wait for.
pub(crate) fn believing(extra: Vec<CertificateDer<'static>>) -> Result<ClientConfig, SetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))
        .map_err(SetupError::NoAuthorities)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs has TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates in a PEM file; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let failed = |source| SetupError::CaFile {
        path: path.to_owned(),
        source,
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(failed)?;
    let certificates = certificates
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    if certificates.is_empty() {
        return Err(SetupError::EmptyCaFile {
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}
