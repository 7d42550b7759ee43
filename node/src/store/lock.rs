//! One process a folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{FILE_MODE, StoreError};

const LOCK_FILE: &str = "lock";
const PID_BYTES_MAX: u64 = 20;

/// Holds the folder until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl FolderLock {
    /// Locks `folder`. The lock is the operating system's, not the file: a file left by a dead process is no obstacle.
    pub(super) fn acquire(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(StoreError::io("opening", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    folder: folder.to_path_buf(),
                    pid: holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io("locking", &path)(error)),
        }
        // Only a help for people: a full disk is no reason not to start.
        let _ = file.set_len(0);
        let _ = file.write_all(std::process::id().to_string().as_bytes());
        Ok(Self { file })
    }
}

impl Drop for FolderLock {
    /// Closing the file would do, if no child process had inherited it between its fork and its exec.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    let read = file.take(PID_BYTES_MAX).read_to_string(&mut pid);
    if read.is_ok() && !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()) {
        pid
    } else {
        "unknown".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_inherited_the_file_does_not_keep_the_folder() {
        let folder = tempfile::TempDir::new().unwrap();
        let lock = FolderLock::acquire(folder.path()).unwrap();
        let inherited = lock.file.try_clone().unwrap();
        drop(lock);
        let _again = FolderLock::acquire(folder.path()).unwrap();
        assert!(matches!(FolderLock::acquire(folder.path()), Err(StoreError::Locked { .. })));
        drop(inherited);
    }
}
