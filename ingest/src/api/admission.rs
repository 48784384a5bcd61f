//! What was found out of an upload before its content was read.

use crate::http::rates::Meter;

/// What was asked about a request before it was handled, so that it is not asked again; nothing, for most.
///
/// A content may have gigabytes: that it comes too often, or to nobody, is said before they are read.
#[derive(Debug, Default)]
pub struct Admission {
    /// Whether it has been asked for its rates.
    pub(super) is_metered: bool,
    pub(super) meter: Meter,
    /// Whether it is one of a flood, of which so much is recorded that it is only counted.
    pub(super) is_flood: bool,
    /// Whose URL it has.
    pub(super) tenant: Option<String>,
}
