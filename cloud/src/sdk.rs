//! How every client of an AWS service is set up: TLS, retries, time limits.

use std::time::Duration;

use aws_config::BehaviorVersion;
pub use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// How often a request is sent at most: once, and twice again.
pub const ATTEMPTS: u32 = 3;
/// The pause before the second attempt, on average half of it; each further one may be twice as long.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(100);
/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one attempt may take before the next one is made.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// Settings from the SDK's standard sources: `AWS_REGION`, `AWS_ENDPOINT_URL…`, the credentials' chain.
///
/// Makes no request: credentials are asked for by the first call of a client.
pub async fn config() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_BACKOFF);
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(retries)
        .timeout_config(timeouts)
        .load()
        .await
}
