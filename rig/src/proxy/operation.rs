//! Which operation of which service a request is, by its head alone.

use http::Method;
use http::request::Parts;

/// A service behind the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    DynamoDb,
    Streams,
    Firehose,
    Glue,
    Athena,
    EventBridge,
    S3,
}

impl Service {
    const TARGETS: [(&'static str, Self); 6] = [
        ("DynamoDB_20120810", Self::DynamoDb),
        ("DynamoDBStreams_20120810", Self::Streams),
        ("Firehose_20150804", Self::Firehose),
        ("AWSGlue", Self::Glue),
        ("AmazonAthena", Self::Athena),
        ("AWSEvents", Self::EventBridge),
    ];

    /// As it stands in IAM actions; the streams' API is told from DynamoDB's own.
    fn prefix(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Streams => "streams",
            Self::Firehose => "firehose",
            Self::Glue => "glue",
            Self::Athena => "athena",
            Self::EventBridge => "events",
            Self::S3 => "s3",
        }
    }
}

/// Service, and name as plans and counts have it: `dynamodb:PutItem`, `s3:PutObject raw/`.
pub(super) fn of(head: &Parts) -> (Service, String) {
    let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let known = target.and_then(|target| target.split_once('.')).and_then(|(api, name)| {
        let (_, service) = Service::TARGETS.iter().find(|(known, _)| *known == api)?;
        Some((*service, name))
    });
    match known {
        Some((service, name)) => (service, format!("{}:{name}", service.prefix())),
        None => (Service::S3, format!("s3:{}", on_s3(head))),
    }
}

/// S3 has no names in its protocol: method, path and query say what is meant. Paths are `/bucket/key`.
fn on_s3(head: &Parts) -> String {
    let path = head.uri.path().trim_start_matches('/');
    let (_, key) = path.split_once('/').unwrap_or((path, ""));
    let query = head.uri.query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let of_bucket = match head.method {
        Method::GET if path.is_empty() => "ListBuckets",
        Method::GET if has("list-type") => "ListObjectsV2",
        Method::GET => "GetBucket",
        Method::PUT => "CreateBucket",
        Method::POST if has("delete") => "DeleteObjects",
        Method::HEAD => "HeadBucket",
        Method::DELETE => "DeleteBucket",
        _ => "Other",
    };
    let of_object = match head.method {
        Method::GET => "GetObject",
        Method::HEAD => "HeadObject",
        Method::PUT if has("partNumber") => "UploadPart",
        Method::PUT if head.headers.contains_key("x-amz-copy-source") => "CopyObject",
        Method::PUT => "PutObject",
        Method::POST if has("uploads") => "CreateMultipartUpload",
        Method::POST if has("uploadId") => "CompleteMultipartUpload",
        Method::DELETE if has("uploadId") => "AbortMultipartUpload",
        Method::DELETE => "DeleteObject",
        _ => "Other",
    };
    match key.split_once('/') {
        _ if key.is_empty() => of_bucket.to_owned(),
        Some((folder, _)) => format!("{of_object} {folder}/"),
        None => of_object.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, target: &str, header: Option<(&str, &str)>) -> Parts {
        let mut request = http::Request::builder().method(method).uri(target);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn names_of_operations() {
        let target = |value| Some(("x-amz-target", value));
        for (method, path, header, expect) in [
            ("POST", "/", target("DynamoDB_20120810.TransactWriteItems"), "dynamodb:TransactWriteItems"),
            ("POST", "/", target("DynamoDBStreams_20120810.GetRecords"), "streams:GetRecords"),
            ("POST", "/", target("Firehose_20150804.PutRecordBatch"), "firehose:PutRecordBatch"),
            ("POST", "/", target("AWSGlue.UpdateTable"), "glue:UpdateTable"),
            ("POST", "/", target("AmazonAthena.StartQueryExecution"), "athena:StartQueryExecution"),
            ("POST", "/", target("AWSEvents.PutEvents"), "events:PutEvents"),
            ("GET", "/", None, "s3:ListBuckets"),
            ("PUT", "/bucket", None, "s3:CreateBucket"),
            ("PUT", "/bucket/", None, "s3:CreateBucket"),
            ("GET", "/bucket/?list-type=2&prefix=raw%2F", None, "s3:ListObjectsV2"),
            ("GET", "/bucket?list-type=2&prefix=raw/", None, "s3:ListObjectsV2"),
            ("PUT", "/bucket/raw/dt=1/a.gz?x-id=PutObject", None, "s3:PutObject raw/"),
            ("GET", "/bucket/lake/db/a.parquet", None, "s3:GetObject lake/"),
            ("HEAD", "/bucket/top", None, "s3:HeadObject"),
            ("PUT", "/b/lake/a?partNumber=1&uploadId=x", None, "s3:UploadPart lake/"),
            ("POST", "/b/lake/a?uploads", None, "s3:CreateMultipartUpload lake/"),
            ("POST", "/b/lake/a?uploadId=x", None, "s3:CompleteMultipartUpload lake/"),
            ("DELETE", "/b/lake/a?uploadId=x", None, "s3:AbortMultipartUpload lake/"),
            ("PUT", "/b/lake/a", Some(("x-amz-copy-source", "b/c")), "s3:CopyObject lake/"),
        ] {
            assert_eq!(of(&head(method, path, header)).1, expect, "{method} {path}");
        }
    }
}
