//! The SDK's errors as ingest's, translated in this one place.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use cloud::Elapsed;

use crate::error::{Error, ErrorKind};

/// A failed call of a service.
pub type Failed<E> = SdkError<E, HttpResponse>;

/// Codes by which the services say that there is too much to do just now.
const BUSY: &[&str] = &[
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Whether the service answered, refused, and may take the same request later.
pub fn is_busy<E: ProvideErrorMetadata>(error: &Failed<E>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code).is_some_and(|code| BUSY.contains(&code))
}

/// Whether it is not known what became of the request: no answer, or the service's own fault.
pub fn is_lost<E: ProvideErrorMetadata>(error: &Failed<E>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(service) => service.raw().status().is_server_error() && !is_busy(error),
        _ => true,
    }
}

/// What the caller learns of a call that failed for good; `what` says what it was to do.
///
/// The text has the service's code and message and the request's id, never an item or a body.
pub fn failed<E: ProvideErrorMetadata + std::error::Error + 'static>(what: &str, error: &Failed<E>) -> Error {
    let kind = match is_busy(error) || is_lost(error) {
        true => ErrorKind::Unavailable,
        false => ErrorKind::Unusable,
    };
    let reason = match error.as_service_error() {
        Some(service) => {
            let status = error.raw_response().map_or(0, |response| response.status().as_u16());
            let (code, message) = (service.code().unwrap_or("no code"), service.message().unwrap_or("no message"));
            format!("{status} {code}, {message}")
        }
        None => DisplayErrorContext(error).to_string(),
    };
    Error::new(kind, format!("{what}: {reason:.1000}"))
}

/// What the caller learns when the time was over.
pub fn elapsed(what: &str, elapsed: Elapsed) -> Error {
    Error::new(ErrorKind::Unavailable, what).with_source(elapsed)
}
