//! Placeholder until the module is merged.
#![allow(missing_docs)]
use crate::diag::Result;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub ca: PathBuf,
    pub crl: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}
impl Files {
    pub fn of_client(pkipath: Option<&Path>, _uid: u32, _home: Option<&Path>) -> Self {
        let d = pkipath.map_or("/etc/pki/CA".into(), Path::to_path_buf);
        Self { ca: d.join("cacert.pem"), crl: None, certificate: None, key: None }
    }
}
#[derive(Debug)]
pub struct ClientTls {
    pub config: Arc<rustls::ClientConfig>,
    pub warnings: Arc<Mutex<Vec<String>>>,
}
pub fn client(_: &Files, _: bool) -> Result<ClientTls> {
    Err(crate::diag::Error::new(
        crate::diag::ErrorCode::NO_SUPPORT,
        crate::diag::ErrorDomain::NONE,
        "no",
    ))
}
pub fn explain(e: &rustls::Error) -> (String, Option<String>) {
    (e.to_string(), None)
}
