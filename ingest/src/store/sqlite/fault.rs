//! What a failed statement or commit means for those who wait for it.

use rusqlite::{ErrorCode, ffi};

/// Whose fault it is, and so who has to go without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Written pages may or may not have reached the disk. A second sync would say that they have, whether or not it is
    /// so: nothing may be acknowledged any more (I1).
    LostSync,
    /// The disk cannot take or give anything now; nothing was changed. It may be able to later.
    Disk,
    /// A page is not what was written. Whoever needs it fails, everybody else is served.
    Damage,
    /// One piece of work cannot be done, however often it is tried. The others of its batch can.
    Work,
}

impl Fault {
    /// What an error of SQLite's is.
    pub fn of(error: &rusqlite::Error) -> Self {
        if let Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) =
            error.sqlite_error().map(|error| error.extended_code)
        {
            return Self::LostSync;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damage,
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted,
            ) => Self::Disk,
            _ => Self::Work,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_fault() {
        let failure = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        for (code, fault) in [
            (ffi::SQLITE_IOERR_FSYNC, Fault::LostSync),
            (ffi::SQLITE_IOERR_DIR_FSYNC, Fault::LostSync),
            (ffi::SQLITE_IOERR_WRITE, Fault::Disk),
            (ffi::SQLITE_IOERR_READ, Fault::Disk),
            (ffi::SQLITE_FULL, Fault::Disk),
            (ffi::SQLITE_BUSY_SNAPSHOT, Fault::Disk),
            (ffi::SQLITE_CORRUPT_INDEX, Fault::Damage),
            (ffi::SQLITE_NOTADB, Fault::Damage),
            (ffi::SQLITE_CONSTRAINT_TRIGGER, Fault::Work),
            (ffi::SQLITE_TOOBIG, Fault::Work),
        ] {
            assert_eq!(Fault::of(&failure(code)), fault, "{code}");
        }
        assert_eq!(Fault::of(&rusqlite::Error::QueryReturnedNoRows), Fault::Work);
    }
}
