//! The formats of other servers' logs, one a file.

mod alb;
mod apache;
mod cloudfront;
mod json;
mod quoted;
mod time;

use std::sync::Arc;

use super::seen::Seen;
use crate::cli::LogFormat;

/// How a line is to be read: the format, and what the lines before it said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    format: LogFormat,
    /// The columns that a CloudFront log names; those of its version 1.0 until it does.
    fields: Arc<[String]>,
}

impl Reader {
    /// For the first line of a log.
    pub fn new(format: LogFormat) -> Self {
        let fields = if format == LogFormat::Cloudfront { cloudfront::standard() } else { Vec::new() };
        Self { format, fields: fields.into() }
    }

    /// Whether a line is about the log itself, not about a request. It may change how those after it are read.
    pub fn is_comment(&mut self, line: &[u8]) -> bool {
        if self.format != LogFormat::Cloudfront || !line.starts_with(b"#") {
            return false;
        }
        if let Some(fields) = cloudfront::directive(line) {
            self.fields = fields.into();
        }
        true
    }

    /// What a line says.
    ///
    /// # Errors
    /// Why it is none of the format.
    pub fn read<'a>(&self, line: &'a str) -> Result<Seen<'a>, String> {
        match self.format {
            LogFormat::Combined => apache::read(line, true),
            LogFormat::Common => apache::read(line, false),
            LogFormat::Alb => alb::read(line),
            LogFormat::Cloudfront => cloudfront::read(line, &self.fields),
            LogFormat::Ndjson => json::read(line),
        }
    }
}

/// A status: three digits, `000` where the client left before there was one.
fn status(text: &str) -> Result<i32, String> {
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| format!("expected a status of three digits, found {text:.20}"))
}

/// A number of bytes; `-` is none.
fn bytes(text: &str) -> Result<Option<i64>, String> {
    match text {
        "-" => Ok(None),
        _ => match text.parse() {
            Ok(bytes) if bytes >= 0 => Ok(Some(bytes)),
            _ => Err(format!("expected a number of bytes, found {text:.20}")),
        },
    }
}

/// Seconds as milliseconds; `-` and the `-1` of a target that was not asked are none.
fn seconds(text: &str) -> Result<Option<f64>, String> {
    match text.parse::<f64>() {
        _ if text == "-" => Ok(None),
        Ok(seconds) if seconds.is_finite() => Ok((seconds >= 0.0).then_some((seconds * 1e6).round() / 1e3)),
        _ => Err(format!("expected seconds, found {text:.20}")),
    }
}
