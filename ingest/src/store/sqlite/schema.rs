//! The database's tables, and how a database of an earlier version becomes one of this version.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use crate::error::{Error, ErrorKind, Result};

/// `DAYB`: marks the file as Daybook's.
const APPLICATION_ID: i64 = 0x4441_5942;

/// What turns version n - 1 into version n, for n from 1. Never changed once released; only added to.
const MIGRATIONS: &[&str] = &["
    create table meta (name text primary key, value text not null) strict, without rowid;

    -- The log: one row a commit. `member` holds the batch's lines as one gzip member.
    create table batches (
        seq integer primary key,
        first_id blob not null,
        last_id blob not null,
        events integer not null,
        member blob not null
    ) strict;
    create index batches_by_id on batches (last_id, first_id);

    -- The state of every entity that has one.
    create table states (
        tenant text not null,
        kind text not null,
        id text not null,
        version integer not null,
        state text not null,
        event_id blob not null,
        event_hash text not null,
        deleted integer not null,
        primary key (tenant, kind, id)
    ) strict, without rowid;
    create index states_by_status on states (tenant, kind, json_extract(state, '$.status'), id) where deleted = 0;

    -- Where each version's event stands in the log.
    create table versions (
        tenant text not null,
        kind text not null,
        id text not null,
        version integer not null,
        seq integer not null,
        place integer not null,
        primary key (tenant, kind, id, version)
    ) strict, without rowid;

    -- Submissions by user, newest last.
    create table submissions (
        tenant text not null,
        user_id text not null,
        id blob not null,
        seq integer not null,
        place integer not null,
        primary key (tenant, user_id, id)
    ) strict, without rowid;

    create table kept (
        scope text primary key,
        answer text not null,
        expires_at integer not null
    ) strict, without rowid;
    create index kept_by_expiry on kept (expires_at);

    -- Raw objects that the relay has written, by the batches they hold.
    create table objects (
        last_seq integer primary key,
        first_seq integer not null,
        key text not null
    ) strict;
", "
    -- A page of SQLite's has no checksum: these rows have one of their own. Rows of version 1 have none until they change.
    alter table states add column checksum integer;
    alter table kept add column checksum integer;
", "
    -- Users are listed by the time of their creation, their ids say nothing of it; and have an e-mail each to themselves.
    create index users_by_creation on states (tenant, kind, printf('%012d.%s', json_extract(state, '$.created_at'), id))
        where kind = 'user' and deleted = 0;
    create index users_by_email on states (tenant, json_extract(state, '$.email')) where kind = 'user' and deleted = 0;
", "
    -- Assets, too, are listed by the time of their creation.
    create index assets_by_creation on states (tenant, kind, printf('%012d.%s', json_extract(state, '$.created_at'), id))
        where kind = 'asset' and deleted = 0;
    create index assets_by_status on states (tenant, kind, json_extract(state, '$.status'),
        printf('%012d.%s', json_extract(state, '$.created_at'), id)) where kind = 'asset' and deleted = 0;
", "
    -- Where the events of the latest versions stand that have no row in `versions` yet: `,[version,seq,place]` for each.
    alter table states add column places text not null default '';
"];

/// Opens the one connection that writes; creates or migrates the database first.
pub fn open_writer(path: &Path, store_id: &str) -> Result<Connection> {
    let mut connection = Connection::open(path).map_err(|error| unusable(path, error))?;
    configure(&connection, path)?;
    migrate(&mut connection, path, MIGRATIONS)?;
    connection
        .execute("insert or ignore into meta (name, value) values ('store_id', ?1)", params![store_id])
        .map_err(|error| unusable(path, error))?;
    settle(&connection, path)?;
    Ok(connection)
}

/// Whether the database holds nothing at all, not even tables: as after a file was cut to nothing.
pub fn is_empty(path: &Path) -> Result<bool> {
    let connection = open_reader(path)?;
    let tables: i64 = connection
        .query_row("select count(*) from sqlite_schema", [], |row| row.get(0))
        .map_err(|error| unusable(path, error))?;
    Ok(tables == 0)
}

/// Moves whatever an earlier process left in the write-ahead log into the database, and empties the log.
///
/// That process may have ended because a sync of the log had failed. What it wrote is then in memory and maybe not on
/// disk, and no later sync would tell: commits that followed in the same log would be lost with it in a power cut (I1).
fn settle(connection: &Connection, path: &Path) -> Result<()> {
    let busy: i64 = connection
        .query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))
        .map_err(|error| unusable(path, error))?;
    match busy {
        0 => Ok(()),
        _ => Err(Error::new(ErrorKind::InUse, format!("{} is being read by another process", path.display()))),
    }
}

/// Checks that a database is Daybook's and of this version.
pub fn check(connection: &Connection, path: &Path) -> Result<()> {
    let number = |pragma: &str| {
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(|error| unusable(path, error))
    };
    if number("application_id")? != APPLICATION_ID {
        return Err(refusal(path, "is not a Daybook database; choose another folder with --data"));
    }
    match usize::try_from(number("user_version")?).unwrap_or(usize::MAX) {
        version if version > MIGRATIONS.len() => Err(later(path, version)),
        version if version < MIGRATIONS.len() => {
            Err(refusal(path, "was written by an earlier version of Daybook; start the server once to migrate it"))
        }
        _ => Ok(()),
    }
}

/// Opens a connection that only reads.
pub fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| unusable(path, error))?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(|error| unusable(path, error))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn configure(connection: &Connection, path: &Path) -> Result<()> {
    // FULL: a power cut after a commit loses nothing (I1). WAL with NORMAL lost every acknowledged row of such a test.
    connection
        .execute_batch(
            // Checkpoints are the writer's: one of SQLite's own would keep its failed sync to itself.
            "pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 0;
             pragma journal_size_limit = 67108864; pragma temp_store = memory; pragma cache_size = -16384;",
        )
        .and_then(|()| connection.busy_timeout(Duration::from_secs(5)))
        .map_err(|error| unusable(path, error))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Brings the database to the last of `migrations`, in one transaction.
fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<()> {
    let number = |connection: &Connection, pragma: &str| {
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(|error| unusable(path, error))
    };
    let application = number(connection, "application_id")?;
    let version = usize::try_from(number(connection, "user_version")?).unwrap_or(usize::MAX);
    let tables: i64 = connection
        .query_row("select count(*) from sqlite_schema", [], |row| row.get(0))
        .map_err(|error| unusable(path, error))?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(refusal(path, "is not a Daybook database; choose another folder with --data"));
    }
    if version > migrations.len() {
        return Err(later(path, version));
    }
    let transaction = connection.transaction().map_err(|error| unusable(path, error))?;
    for migration in &migrations[version..] {
        transaction.execute_batch(migration).map_err(|error| unusable(path, error))?;
    }
    let marks = format!("pragma application_id = {APPLICATION_ID}; pragma user_version = {};", migrations.len());
    transaction.execute_batch(&marks).and_then(|()| transaction.commit()).map_err(|error| unusable(path, error))
}

fn later(path: &Path, version: usize) -> Error {
    refusal(path, &format!("was written by a later version of Daybook (format {version}); upgrade"))
}

fn refusal(path: &Path, reason: &str) -> Error {
    Error::new(ErrorKind::Unusable, format!("{} {reason}", path.display()))
}

fn unusable(path: &Path, error: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Unusable, format!("cannot open {}", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_earlier_database_is_migrated_and_a_later_one_refused() {
        let path = Path::new("test.db");
        let mut connection = Connection::open_in_memory().unwrap();
        let (one, two) = ("create table a (x)", "alter table a add column y default 7");
        migrate(&mut connection, path, &[one]).unwrap();
        connection.execute("insert into a values (1)", []).unwrap();
        migrate(&mut connection, path, &[one, two]).unwrap();
        assert_eq!(version(&connection), 2);
        let row = connection.query_row("select x, y from a", [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(row.unwrap(), (1, 7));
        let error = migrate(&mut connection, path, &[one]).unwrap_err();
        assert!(error.to_string().contains("later version"), "{error}");
    }

    #[test]
    fn a_failed_migration_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("x"), &["create table a (x)"]).unwrap();
        let broken = ["create table a (x)", "create table b (x); create nonsense"];
        assert!(migrate(&mut connection, Path::new("x"), &broken).is_err());
        assert_eq!(version(&connection), 1);
        let tables: i64 = connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }

    #[test]
    fn a_foreign_database_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("create table theirs (x)").unwrap();
        let error = migrate(&mut connection, Path::new("x"), MIGRATIONS).unwrap_err();
        assert!(error.to_string().contains("not a Daybook database"), "{error}");
    }
}
