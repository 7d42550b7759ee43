//! Files that a bundle names by their hash.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};
use sudare_crypto::Hash;
use sudare_ledger::bundle::FileHash;

use super::Failure;

/// What is found of a named file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cli) enum Beside {
    /// The file that was signed.
    Same,
    /// None.
    Missing,
    /// Another one.
    Changed,
}

/// A named file in words.
#[derive(Debug, Serialize)]
pub(super) struct FileView {
    name: String,
    bytes: u64,
    sha256: String,
}

impl FileView {
    pub(super) fn of(file: &FileHash) -> Self {
        Self { name: file.name.to_string(), bytes: file.bytes, sha256: file.sha256.to_string() }
    }

    pub(super) fn text(&self) -> String {
        format!("{} ({} bytes) {}", self.name, self.bytes, self.sha256)
    }
}

/// Compares a named file with what is in a folder.
pub(in crate::cli) fn beside(folder: &Path, file: &FileHash) -> Result<Beside, Failure> {
    let path = folder.join(file.name.as_str());
    match hash(&path) {
        Ok(found) if found == (file.bytes, file.sha256) => Ok(Beside::Same),
        Ok(_) => Ok(Beside::Changed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Beside::Missing),
        Err(error) => Err(Failure::File(path, error)),
    }
}

/// A file's length and SHA-256.
pub(in crate::cli) fn hash(path: &Path) -> io::Result<(u64, Hash)> {
    let mut file = File::open(path)?;
    let (mut hash, mut length, mut buffer) = (Sha256::new(), 0_u64, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
        length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    Ok((length, Hash(hash.finalize().into())))
}
