//! The file of the master keys: made once, replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

use keystile_domain::secrets::master::MasterKey;
use keystile_domain::secrets::master_keys::MasterKeys;
use zeroize::Zeroizing;

use super::{DATABASE, MASTER_KEY, Owned, unwritable};
use crate::ambient::SystemRng;
use crate::failure::Failure;

/// The file of the master keys of a data directory that this process owns.
#[derive(Debug)]
pub(crate) struct MasterKeyFile {
    dir: PathBuf,
}

impl Owned {
    /// The file of the master keys.
    #[must_use]
    pub(crate) fn master_key_file(&self) -> MasterKeyFile {
        MasterKeyFile {
            dir: self.dir().path().to_owned(),
        }
    }
}

impl MasterKeyFile {
    /// The master keys: read, or a first one made at the first start (0600, durable before it is
    /// used).
    ///
    /// # Errors
    /// `master_key_unreadable`, `master_key_bad`, `master_key_open_to_others`, `master_key_missing`.
    pub(crate) fn read_or_make(&self) -> Result<MasterKeys, Failure> {
        match fs::read(self.path()) {
            Ok(bytes) => self.parse(&Zeroizing::new(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => self.first(),
            Err(error) => Err(self.unreadable(&error)),
        }
    }

    /// As [`read_or_make`](Self::read_or_make), for a file that is there.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn read(&self) -> Result<MasterKeys, Failure> {
        let bytes = fs::read(self.path()).map_err(|error| self.unreadable(&error))?;
        self.parse(&Zeroizing::new(bytes))
    }

    /// Puts these keys in the place of those in the file: written beside it, made durable, renamed.
    /// A crash leaves the one file or the other, each whole.
    ///
    /// # Errors
    /// `master_key_unwritable`: the earlier file stands unchanged.
    pub(crate) fn replace(&self, keys: &MasterKeys) -> Result<(), Failure> {
        self.write(keys).map_err(|error| {
            Failure::failed(
                "master_key_unwritable",
                format!("{} can't be replaced: {error}", self.path().display()),
                "make room on the disk of the data directory and try again; nothing was changed",
            )
        })
    }

    fn first(&self) -> Result<MasterKeys, Failure> {
        if self.dir.join(DATABASE).exists() {
            return Err(Failure::configuration(
                "master_key_missing",
                format!(
                    "{} is missing, but there is a database made with it",
                    self.path().display()
                ),
                "put the file back from your own copy, or begin anew in another --data-dir",
            ));
        }
        let keys = MasterKeys::from(MasterKey::generate(&SystemRng));
        self.write(&keys)
            .map_err(|error| unwritable(&self.dir, &error))?;
        Ok(keys)
    }

    fn write(&self, keys: &MasterKeys) -> std::io::Result<()> {
        let new = self.dir.join(NEW);
        // One that a crash left behind may have another mode; this one is made.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.create_new(true).write(true).mode(0o600);
        let mut file = options.open(&new)?;
        file.write_all(&keys.to_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path())?;
        File::open(&self.dir)?.sync_all()
    }

    fn parse(&self, bytes: &[u8]) -> Result<MasterKeys, Failure> {
        let path = self.path();
        let mode = fs::metadata(&path).map(|found| found.permissions().mode() & 0o777);
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            return Err(Failure::configuration(
                "master_key_open_to_others",
                format!("{} can be read by others", path.display()),
                format!(
                    "chmod 600 {}, and think about who may have read it",
                    path.display()
                ),
            ));
        }
        MasterKeys::from_bytes(bytes).map_err(|error| {
            Failure::configuration(
                "master_key_bad",
                format!("{}: {error}", path.display()),
                "put back the right file from your own copy; without it the stored signing keys can't be opened",
            )
        })
    }

    fn unreadable(&self, error: &std::io::Error) -> Failure {
        Failure::configuration(
            "master_key_unreadable",
            format!("{}: {error}", self.path().display()),
            "make it readable for the user that runs keystile",
        )
    }

    fn path(&self) -> PathBuf {
        self.dir.join(MASTER_KEY)
    }
}

/// Where the file is written before it is renamed.
pub(super) const NEW: &str = "master.key.new";

#[cfg(test)]
mod tests;
