//! The membership list in force, kept in the data folder, so that no restart takes a node back to an older one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::membership::{Membership, MembershipError};

const FILE: &str = "membership.bin";

/// Puts the kept list into force where it is newer than the one that `membership` was opened with. `data` is the node's data
/// folder; without a kept list nothing changes. Enforces [WIRE-1].
///
/// # Errors
///
/// [`InForceError`]: the file can't be read or is damaged, or both lists have one number and differ.
pub fn resume(membership: &Membership, data: &Path) -> Result<(), InForceError> {
    let path = data.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(InForceError::File { path, source }),
    };
    match membership.replace(&bytes) {
        Ok(_) | Err(MembershipError::Stale { .. }) => Ok(()),
        Err(source) => Err(InForceError::List { path, source }),
    }
}

/// Keeps the list in force, in one step: a crash leaves the list before or this one. One sync.
///
/// # Errors
///
/// [`InForceError::File`].
pub fn keep(membership: &Membership, data: &Path) -> Result<(), InForceError> {
    let (path, unfinished) = (data.join(FILE), data.join(FILE).with_extension("new"));
    let write = || {
        fs::create_dir_all(data)?;
        let mut file = File::create(&unfinished)?;
        file.write_all(&membership.current().to_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(data)?.sync_all()
    };
    write().map_err(|source| InForceError::File { path: path.clone(), source })
}

/// Why a kept list can't be used or written.
#[derive(Debug, thiserror::Error)]
pub enum InForceError {
    /// The file can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no list that counts here.
    #[error("{path}, the list that was in force last: {source}")]
    List {
        /// The file.
        path: PathBuf,
        /// Why.
        source: MembershipError,
    },
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use sudare_crypto::{Hash, NodeKey};
    use sudare_ledger::role::Role;

    use super::*;
    use crate::membership::{Member, MemberName, MembershipList, SignedMembership};

    const NETWORK: Hash = Hash([9; 32]);

    fn file(number: u64, name: &str) -> Vec<u8> {
        let member = Member {
            name: MemberName::new(name).unwrap(),
            role: Role::Notary,
            id: NodeKey::from_seed(&[2; 32]).id(),
            address: SocketAddr::from(([127, 0, 0, 1], 4000)),
        };
        let list = MembershipList::new(NETWORK, number, vec![member]).unwrap();
        SignedMembership::sign(list, &NodeKey::from_seed(&[1; 32])).to_bytes()
    }

    fn start(bytes: &[u8], data: &Path) -> Result<Membership, InForceError> {
        let root = NodeKey::from_seed(&[1; 32]).id();
        let membership = Membership::open(bytes, root, NETWORK).unwrap();
        resume(&membership, data)?;
        keep(&membership, data)?;
        Ok(membership)
    }

    #[test]
    fn an_older_list_put_back_does_not_count_after_a_restart_and_a_newer_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        assert_eq!(start(&file(1, "one"), &data).unwrap().current().number(), 1);
        let running = start(&file(2, "two"), &data).unwrap();
        assert_eq!(start(&file(1, "one"), &data).unwrap().current().to_bytes(), file(2, "two"));
        assert!(running.replace(&file(4, "four")).unwrap());
        keep(&running, &data).unwrap();
        assert_eq!(start(&file(3, "three"), &data).unwrap().current().number(), 4);
        assert_eq!(start(&file(5, "five"), &data).unwrap().current().number(), 5);
    }

    #[test]
    fn two_lists_of_one_number_and_a_damaged_copy_stop_a_start_and_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let _ = start(&file(2, "two"), folder.path()).unwrap();
        let error = start(&file(2, "other"), folder.path()).unwrap_err();
        assert!(matches!(error, InForceError::List { source: MembershipError::Conflict(2), .. }));
        fs::write(folder.path().join(FILE), b"damaged").unwrap();
        let error = start(&file(3, "three"), folder.path()).unwrap_err().to_string();
        assert!(error.contains(FILE) && error.contains("fetch it again"), "{error}");
    }
}
