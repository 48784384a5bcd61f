//! What Athena's failures mean to a caller.

use std::fmt::Debug;

use aws_sdk_athena::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_athena::types::{QueryExecutionState, QueryExecutionStatus};

use crate::error::{Error, ErrorKind};

/// A request to Athena that failed after its retries.
pub(crate) fn of_request<E>(doing: &str) -> impl FnOnce(SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Debug + Send + Sync + 'static,
{
    let context = format!("Athena did not {doing}");
    move |error| {
        let refused = matches!(error.code(), Some(code) if !is_passing(code));
        let kind = if refused { ErrorKind::Engine } else { ErrorKind::Unavailable };
        let reason = match error.as_service_error() {
            Some(service) => {
                let (code, message) = (service.code().unwrap_or("no code"), service.message().unwrap_or("no message"));
                format!("{code}, {message}")
            }
            None => DisplayErrorContext(&error).to_string(),
        };
        Error::new(kind, context).with_source(reason)
    }
}

/// The same of a request that is about a query that was started: one that Athena does not know, or whose rows are gone.
pub(crate) fn of_run<E>(doing: &str) -> impl FnOnce(SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Debug + Send + Sync + 'static,
{
    let failed = of_request(doing);
    move |error| match error.code() {
        Some("InvalidRequestException") => {
            let reason = error.message().unwrap_or("no message").to_owned();
            Error::new(ErrorKind::UnknownRun, "Athena has no such run, or no longer its rows").with_source(reason)
        }
        _ => failed(error),
    }
}

/// Whether the same request may be taken later.
fn is_passing(code: &str) -> bool {
    code.contains("Throttl") || matches!(code, "TooManyRequestsException" | "InternalServerException")
}

/// A query that ended without rows.
pub(crate) fn of_query(name: &str, status: &QueryExecutionStatus) -> Error {
    let reason = status.state_change_reason().unwrap_or("without a reason");
    let system = status.athena_error().is_some_and(|error| error.retryable());
    let kind = match status.state() {
        _ if reason.contains("exhausted resources") => ErrorKind::OutOfMemory,
        _ if reason.contains("Bytes scanned limit") => ErrorKind::TooLarge,
        _ if reason.contains("timeout") || reason.contains("timed out") => ErrorKind::Timeout,
        Some(QueryExecutionState::Cancelled) => ErrorKind::Cancelled,
        _ if system => ErrorKind::Unavailable,
        _ => ErrorKind::Engine,
    };
    let ended = if kind == ErrorKind::Cancelled { "was stopped" } else { "failed" };
    Error::new(kind, format!("{name} {ended} in Athena: {reason}"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_athena::types::AthenaError;

    use super::*;

    #[test]
    fn the_reason_decides_the_kind() {
        for (state, reason, retryable, expect) in [
            (
                QueryExecutionState::Failed,
                "Query exhausted resources at this scale factor",
                false,
                ErrorKind::OutOfMemory,
            ),
            (
                QueryExecutionState::Failed,
                "SYNTAX_ERROR: line 1:8: Column 'x' cannot be resolved",
                false,
                ErrorKind::Engine,
            ),
            (QueryExecutionState::Failed, "GENERIC_INTERNAL_ERROR: none", true, ErrorKind::Unavailable),
            (QueryExecutionState::Failed, "Query timeout", false, ErrorKind::Timeout),
            (QueryExecutionState::Cancelled, "Query cancelled by user", false, ErrorKind::Cancelled),
            (
                QueryExecutionState::Cancelled,
                "Query cancelled! : Bytes scanned limit was exceeded",
                false,
                ErrorKind::TooLarge,
            ),
        ] {
            let athena = AthenaError::builder().retryable(retryable).build();
            let status =
                QueryExecutionStatus::builder().state(state).state_change_reason(reason).athena_error(athena).build();
            let error = of_query("traffic", &status);
            assert_eq!(error.kind(), expect, "{reason}");
            assert!(error.to_string().contains(reason));
        }
    }
}
