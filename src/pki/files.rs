//! Places of a PKI's files, as in libvirt.

use std::path::{Path, PathBuf};

/// End of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The TLS server.
    Server,
    /// The TLS client.
    Client,
}

impl End {
    /// Returns the name of the end.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// The files that one end uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The CAs that are trusted, and no others.
    pub ca: PathBuf,
    /// Lists of certificates that they have revoked. A place that is named here has to be readable.
    pub crl: Option<PathBuf>,
    /// Certificate of this end; a server needs one.
    pub certificate: Option<PathBuf>,
    /// The key to that.
    pub key: Option<PathBuf>,
}

/// Places of libvirt's files for all users.
const SYSTEM_CA: &str = "/etc/pki/CA/cacert.pem";
const SYSTEM_CRL: &str = "/etc/pki/CA/cacrl.pem";

impl Files {
    /// Returns a client's files: only those in `pkipath` if it is given; else a user's in `~/.pki/libvirt`,
    /// file by file, and the system's for the rest.
    pub fn of_client(pkipath: Option<&Path>, uid: u32, home: Option<&Path>) -> Self {
        if let Some(directory) = pkipath {
            return Self::in_directory(directory, End::Client);
        }
        let own = home.filter(|_| uid != 0).map(|home| home.join(".pki/libvirt"));
        let mine = |name: &str| own.as_ref().map(|d| d.join(name)).filter(|p| there(p));
        let system = |end: &str| PathBuf::from(format!("/etc/pki/libvirt/{end}"));
        let pair = |certificate: Option<PathBuf>, key: Option<PathBuf>| certificate.zip(key);
        let (certificate, key) = pair(mine("clientcert.pem"), mine("clientkey.pem"))
            .or_else(|| {
                // a key in a directory that this user may not enter is somebody else's
                let visible = |path: PathBuf| Some(path).filter(|p| p.symlink_metadata().is_ok());
                pair(visible(system("clientcert.pem")), visible(system("private/clientkey.pem")))
            })
            .unzip();
        Self {
            ca: mine("cacert.pem").unwrap_or_else(|| SYSTEM_CA.into()),
            crl: mine("cacrl.pem")
                .or_else(|| Some(SYSTEM_CRL.into()).filter(|p: &PathBuf| there(p))),
            certificate,
            key,
        }
    }

    /// A server's files; both certificate and key are needed.
    pub fn of_server(pkipath: Option<&Path>) -> Self {
        if let Some(directory) = pkipath {
            return Self::in_directory(directory, End::Server);
        }
        Self {
            ca: SYSTEM_CA.into(),
            crl: Some(SYSTEM_CRL.into()).filter(|p: &PathBuf| there(p)),
            certificate: Some("/etc/pki/libvirt/servercert.pem".into()),
            key: Some("/etc/pki/libvirt/private/serverkey.pem".into()),
        }
    }

    fn in_directory(directory: &Path, end: End) -> Self {
        let word = end.as_str();
        let certificate = directory.join(format!("{word}cert.pem"));
        let key = directory.join(format!("{word}key.pem"));
        // half a client's pair is a mistake that is worth saying
        let wanted = end == End::Server || there(&certificate) || there(&key);
        Self {
            ca: directory.join("cacert.pem"),
            crl: Some(directory.join("cacrl.pem")).filter(|path| there(path)),
            certificate: wanted.then_some(certificate),
            key: wanted.then_some(key),
        }
    }
}

/// Whether a file is present: a dangling link counts, and so does one that this user may not look at, since
/// skipping a list of revoked certificates would trust them.
fn there(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(_) => true,
        Err(e) => {
            let absent = [std::io::ErrorKind::NotFound, std::io::ErrorKind::NotADirectory];
            !absent.contains(&e.kind())
        }
    }
}
