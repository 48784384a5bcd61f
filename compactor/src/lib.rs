//! Raw objects in, one atomic table commit out.
//!
//! The compactor reads the raw log (gzip NDJSON, one event a line), drops what it has seen, and appends the rest to the
//! Iceberg table `requests` in a commit that also says which raw objects are now consumed. Read in the order of the flow:
//! [`raw`] → [`plan`] → `pipeline` (`block` → `columns` → `write::encode`) → `output` → `commit`; [`Compaction`] runs it,
//! [`Lake`] is where it ends.
//!
//! What holds whenever a call returns, fails, or its process is killed:
//!
//! - no event id is in the table twice (I2);
//! - raw lines = rows + duplicates + quarantined + not yet compacted (I7), see [`Counts`];
//! - every snapshot is whole: its files were on disk before it was (I8).
//!
//! The crate has no clock and no randomness: `now` and the bytes of new ids are arguments.

#[cfg(feature = "aws")]
pub mod aws;
mod block;
mod columns;
mod commit;
mod compact;
mod decode;
mod direct;
mod durable;
mod error;
mod gateway;
mod ground;
mod inspect;
pub mod lake;
mod lookup;
mod output;
mod pipeline;
pub mod plan;
mod profile;
mod quarantine;
pub mod raw;
mod scan;
pub mod schema;
mod tail;
#[cfg(feature = "local")]
mod upkeep;
mod workers;
mod write;

pub use compact::{Compaction, Progress, Step, Summary, compact};
pub use decode::{Limits, RawCount, count_raw, events, lines_up_to_damage};
pub use error::{Error, ErrorKind, Result};
pub use gateway::{Gateway, count_deferred};
pub use inspect::{DayFacts, LakeFacts, inspect};
pub use lake::{Counts, GatewayCounts, Lake, counts};
pub use plan::{Options, Pending};
pub use profile::{Profile, Stage};
pub use quarantine::{QUARANTINE_REASON_DAMAGED, QuarantinedLine, Retry, Verdict, Written, read_quarantine};
pub use raw::{DirRawLog, MemoryRawLog, RawLog, RawObject};
pub use scan::{scan, scan_days, table_rows};
pub use tail::{Tail, pending, tail};
#[cfg(feature = "local")]
pub use upkeep::{Upkeep, UpkeepOptions, UpkeepStep, UpkeepSummary};
