//! Checksums of rows: SQLite's pages have none, and a flipped bit in a state would be served as the state.

use crc32fast::Hasher;

/// The checksum of a row's columns; each is told apart from its neighbours by its length.
pub fn of(columns: &[&[u8]]) -> i64 {
    let mut hasher = Hasher::new();
    for column in columns {
        hasher.update(&(column.len() as u64).to_le_bytes());
        hasher.update(column);
    }
    i64::from(hasher.finalize())
}

/// The checksum of a state's row.
pub fn of_state(id: &str, version: i64, state: &str, event_id: &[u8; 16], event_hash: &str, deleted: bool) -> i64 {
    of(&[
        id.as_bytes(),
        &version.to_le_bytes(),
        state.as_bytes(),
        event_id,
        event_hash.as_bytes(),
        &[u8::from(deleted)],
    ])
}

/// The checksum of a kept answer's row.
pub fn of_kept(scope: &str, answer: &str, expires_at: i64) -> i64 {
    of(&[scope.as_bytes(), answer.as_bytes(), &expires_at.to_le_bytes()])
}
