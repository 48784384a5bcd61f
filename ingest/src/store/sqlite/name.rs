//! The store's name, kept beside the database as well: so that a lost database is missed, not begun anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::FILE;
use crate::error::{Error, ErrorKind, Result};
use crate::files;

/// The file beside the database that holds the name of the store.
const NAME: &str = "store.id";

/// The name that the folder's store has; none if there never was one.
///
/// # Errors
/// There was a store and its database is gone, or the name cannot be read.
pub fn known(folder: &Path) -> Result<Option<String>> {
    let path = path(folder);
    let name = match fs::read_to_string(&path) {
        Ok(name) => name.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let context = format!("cannot read {}", path.display());
            return Err(Error::new(ErrorKind::Unusable, context).with_source(error));
        }
    };
    if !folder.join(FILE).exists() {
        return Err(refusal(folder, "is gone"));
    }
    Ok(Some(name))
}

/// Writes the name of a new store down, durably: from here on its database is missed.
///
/// # Errors
/// The disk's.
pub fn remember(folder: &Path, name: &str) -> Result<()> {
    let path = path(folder);
    files::write_durably(&path, format!("{name}\n").as_bytes())
        .map_err(|error| Error::new(ErrorKind::Unusable, format!("cannot write {}", path.display())).with_source(error))
}

/// The refusal of a database that is not the folder's.
pub fn refusal(folder: &Path, what: &str) -> Error {
    let (database, name) = (folder.join(FILE), path(folder));
    let (database, name) = (database.display(), name.display());
    Error::new(
        ErrorKind::Unusable,
        format!(
            "{database} {what}, and {name} says that there was a store: put it back from a backup; to begin a new \
             history beside what raw/ and lake/ hold, remove {name}"
        ),
    )
}

fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}
