//! The access log's format: one JSON object a line, all of its values text.

/// Which kind of API Gateway writes the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frontend {
    /// A REST API (version 1).
    Rest,
    /// An HTTP API (version 2).
    Http,
}

/// A field: its name in the line, and the `$context` variable of a REST and of an HTTP API that it holds.
pub(super) struct Field {
    pub(super) name: &'static str,
    rest: &'static str,
    http: &'static str,
}

const fn field(name: &'static str, rest: &'static str, http: &'static str) -> Field {
    Field { name, rest, http }
}

/// What stands for a value that there is none of; the gateway writes it, too.
pub(super) const ABSENT: &str = "-";

/// How many of [`FIELDS`] come before the first whose text others choose.
pub(super) const TRUSTED: usize = 17;

/// The fields in the order of the line. What clients, authorizers and integrations word comes last, so that nothing
/// in it can pass for the identity, time or status of the request. All names stand in every line: one that a client
/// smuggled in would be there twice.
pub(super) const FIELDS: [Field; 24] = [
    field("extendedRequestId", "$context.extendedRequestId", "$context.extendedRequestId"),
    field("requestId", "$context.requestId", "$context.requestId"),
    field("requestTimeEpoch", "$context.requestTimeEpoch", "$context.requestTimeEpoch"),
    field("status", "$context.status", "$context.status"),
    field("responseType", "$context.error.responseType", "$context.error.responseType"),
    field("responseLength", "$context.responseLength", "$context.responseLength"),
    field("responseLatency", "$context.responseLatency", "$context.responseLatency"),
    field("integrationStatus", "$context.integration.status", "$context.integration.status"),
    field("integrationLatency", "$context.integration.latency", "$context.integration.latency"),
    field("integrationRequestId", "$context.integration.requestId", "$context.integration.requestId"),
    field("wafResponseCode", "$context.wafResponseCode", ABSENT),
    field("xrayTraceId", "$context.xrayTraceId", ABSENT),
    field("ip", "$context.identity.sourceIp", "$context.identity.sourceIp"),
    field("apiKeyId", "$context.identity.apiKeyId", ABSENT),
    field("protocol", "$context.protocol", "$context.protocol"),
    field("stage", "$context.stage", "$context.stage"),
    field("routeKey", "$context.resourcePath", "$context.routeKey"),
    field("integrationErrorMessage", "$context.integrationErrorMessage", "$context.integrationErrorMessage"),
    field("authorizerError", "$context.authorizer.error", "$context.authorizer.error"),
    field("errorMessage", "$context.error.message", "$context.error.message"),
    field("domainName", "$context.domainName", "$context.domainName"),
    field("httpMethod", "$context.httpMethod", "$context.httpMethod"),
    field("path", "$context.path", "$context.path"),
    field("userAgent", "$context.identity.userAgent", "$context.identity.userAgent"),
];

/// The fields' names, in the order of the line.
pub fn field_names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|field| field.name)
}

impl Frontend {
    /// The access log's format, as the stage's settings take it.
    ///
    /// Ends in a line feed: neither the gateway nor Firehose puts one between two lines.
    pub fn access_log_format(self) -> String {
        let variable = |field: &Field| match self {
            Self::Rest => field.rest,
            Self::Http => field.http,
        };
        let fields: Vec<String> =
            FIELDS.iter().map(|field| format!("\"{}\":\"{}\"", field.name, variable(field))).collect();
        format!("{{{}}}\n", fields.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_that_others_word_comes_before_one_that_is_trusted() {
        let worded = [
            "integrationErrorMessage",
            "authorizerError",
            "errorMessage",
            "domainName",
            "httpMethod",
            "path",
            "userAgent",
        ];
        assert!(FIELDS[TRUSTED..].iter().map(|field| field.name).eq(worded));
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = FIELDS.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), FIELDS.len());
    }
}
