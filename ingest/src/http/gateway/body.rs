//! The body of a gateway's event: text as it stands, or bytes in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::Fault;
use crate::http::limits;
use crate::http::request::ReceivedBody;
use crate::json::Members;

/// Reads the body. One over the limit is not decoded, only measured.
pub fn body(event: &Members<'_>, fault: &mut Fault) -> ReceivedBody {
    let value = event.get("body");
    if value.is_nothing() {
        return ReceivedBody::Whole(Bytes::new());
    }
    let Some(text) = value.bytes() else {
        fault.add("The gateway's event has a body that is no text.");
        return ReceivedBody::Whole(Bytes::new());
    };
    let encoded = event.get("isBase64Encoded").is_true();
    let digits = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(&text).len();
    let size = if encoded { digits / 4 * 3 + digits % 4 * 3 / 4 } else { text.len() };
    if size > limits::BODY {
        return ReceivedBody::TooLarge { size: size as u64 };
    }
    if !encoded {
        return ReceivedBody::Whole(Bytes::from(text.into_owned()));
    }
    match STANDARD.decode(&text) {
        Ok(bytes) => ReceivedBody::Whole(Bytes::from(bytes)),
        Err(_) => {
            fault.add("The gateway's event has a body that is not the base64 it says.");
            ReceivedBody::Whole(Bytes::from(text.into_owned()))
        }
    }
}
