//! Named queries: the questions of `athena/queries`, their parameters, and the statements they become.

mod catalogue;
mod header;
mod param;
mod params;
mod time;

pub use catalogue::{NamedQuery, all, check, find, parse};
pub use param::{DefaultValue, Param, ParamKind, ParamValue};
pub use params::{Params, Prepared, Scope};
pub use time::{TimeExpression, Unit};
