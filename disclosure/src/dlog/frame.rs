//! How files of this module begin and end: what they are, version, content, SHA-256 of all of it.

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest as _, Sha256};

const HASH_BYTES: usize = 32;

/// One kind of file.
pub(super) struct Frame {
    /// Stands at the beginning.
    pub(super) domain: &'static [u8],
    pub(super) version: u8,
    /// Longer input is refused unread.
    pub(super) bytes_max: usize,
}

/// Why bytes are not a file of the kind.
pub(super) enum FrameError {
    TooLong(usize),
    /// Cut off, changed, or of another kind.
    Damaged,
    Version(u8),
    Structure,
}

impl Frame {
    pub(super) fn seal(&self, content: &impl BorshSerialize) -> Vec<u8> {
        let mut bytes = self.domain.to_vec();
        bytes.push(self.version);
        // Writing to a vector does not fail; if it did, the hash would cover a prefix and reading would refuse it.
        let _ = content.serialize(&mut bytes);
        let hash = hash(&bytes);
        bytes.extend_from_slice(&hash);
        bytes
    }

    pub(super) fn open<T: BorshDeserialize>(&self, bytes: &[u8]) -> Result<T, FrameError> {
        if bytes.len() > self.bytes_max {
            return Err(FrameError::TooLong(bytes.len()));
        }
        let (content, found) = bytes.split_last_chunk::<HASH_BYTES>().ok_or(FrameError::Damaged)?;
        let body = content.strip_prefix(self.domain).ok_or(FrameError::Damaged)?;
        if hash(content) != *found {
            return Err(FrameError::Damaged);
        }
        match body.split_first() {
            Some((version, body)) if *version == self.version => {
                T::try_from_slice(body).map_err(|_| FrameError::Structure)
            }
            Some((version, _)) => Err(FrameError::Version(*version)),
            None => Err(FrameError::Damaged),
        }
    }
}

fn hash(content: &[u8]) -> [u8; HASH_BYTES] {
    Sha256::digest(content).into()
}
