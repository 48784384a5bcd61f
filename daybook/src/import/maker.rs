//! Events of lines: masked, with an id that follows from the line and its place.

use std::borrow::Cow;
use std::collections::HashMap;

use event::bounds::{PATH, QUERY, TEXT, cut, method};
use event::redact::{Encoding, Redactor};
use event::{Event, EventId, EventIds, SCHEMA_VERSION, Sealed, Timestamp};
use hmac::{Hmac, Mac};
use ingest::http::limits::INLINE_BODY;
use sha2::Sha256;

use super::seen::Seen;

/// Whose requests the log is about.
#[derive(Debug, Clone)]
pub struct Origin {
    /// What the log is called: part of every line's identity.
    pub source: String,
    /// Name of the service that wrote it.
    pub service: String,
    /// Version of this program.
    pub version: String,
    /// Name of the environment.
    pub environment: String,
    /// Owner of the requests.
    pub tenant: String,
}

/// Makes events of one log's lines.
#[derive(Clone)]
pub struct Maker {
    origin: Origin,
    redactor: Redactor,
    mac: Hmac<Sha256>,
}

impl Maker {
    /// With the installation's own redactor, equal secrets here and there have equal masks. `key` makes ids that tell
    /// nothing of what was masked: without it, a secret could be guessed until the id fits.
    ///
    /// # Errors
    /// The key is none.
    pub fn new(origin: Origin, redactor: Redactor, key: [u8; 32]) -> Result<Self, String> {
        let mut mac = Hmac::new_from_slice(&key).map_err(|error| error.to_string())?;
        mac.update(&(origin.source.len() as u64).to_be_bytes());
        mac.update(origin.source.as_bytes());
        Ok(Self { origin, redactor, mac })
    }

    /// What the log is called.
    pub fn source(&self) -> &str {
        &self.origin.source
    }

    /// Text as the log may have it.
    pub fn masked(&self, text: &str) -> String {
        self.redactor.text(text).into_owned()
    }

    /// The id of a line: a UUIDv7 of the request's time, its other bits from the log's name, the line's number and its
    /// bytes. The same line of the same log always has the same one, equal lines of one log have different ones.
    fn id(&self, number: u64, line: &[u8], at: Timestamp) -> EventId {
        let mac = self.mac.clone().chain_update(number.to_be_bytes()).chain_update(line);
        let mut bits = [0; 16];
        bits.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        EventIds::default().next(at, bits)
    }

    /// The event that stands for a line; nothing in it is a secret that the mask list knows.
    pub fn event(&self, number: u64, line: &[u8], seen: &Seen<'_>, memo: &mut Memo) -> Sealed {
        let Self { origin, redactor, .. } = self;
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(|text| cut(&redactor.text(text), TEXT).to_owned());
        let event_id = self.id(number, line, seen.at);
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let agent = seen.agent.as_deref();
        let headers = [("referer", seen.referer.as_deref()), ("user-agent", agent)];
        let body = seen.body.as_deref().map(|body| redactor.body(seen.content_type.as_deref(), body.as_bytes()));
        let body = body.filter(|body| body.text.as_ref().is_none_or(|text| text.len() <= INLINE_BODY));
        let encoding = body.as_ref().map_or(Encoding::Omitted, |body| body.encoding);
        Sealed::of(Event {
            event_id,
            event_type: "request.imported".to_owned(),
            schema_version: SCHEMA_VERSION,
            received_at: seen.at,
            tenant: origin.tenant.clone(),
            request_id: text(&seen.request_id).unwrap_or_else(|| event_id.to_string()),
            trace_id: seen.trace_id.clone(),
            actor_type: "anonymous".to_owned(),
            user_id: text(&seen.user),
            client_ip: text(&seen.client_ip),
            user_agent: agent.map(|agent| memo.of(('a', agent, ""), || cut(&redactor.text(agent), TEXT).to_owned())),
            host: text(&seen.host),
            protocol: text(&seen.protocol),
            method: method(&seen.method).to_owned(),
            path: memo.of(('p', path, ""), || cut(&redactor.path(path), PATH).to_owned()),
            query_string: redactor.query(query).map(|query| cut(&query, QUERY).to_owned()),
            request_content_type: text(&seen.content_type),
            request_headers: headers.iter().any(|(_, value)| value.is_some()).then(|| {
                memo.of(('h', seen.referer.as_deref().unwrap_or("\n"), agent.unwrap_or("\n")), || {
                    let there = headers.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?.as_bytes())));
                    redactor.headers(there).unwrap_or_default()
                })
            }),
            request_bytes: seen.request_bytes.unwrap_or(0),
            request_body: body.and_then(|body| body.text),
            request_body_encoding: encoding.as_str().to_owned(),
            status: seen.status,
            duration_ms: seen.duration_ms.unwrap_or(0.0),
            response_bytes: seen.response_bytes,
            service: origin.service.clone(),
            service_version: origin.version.clone(),
            environment: origin.environment.clone(),
            ingest_path: "import".to_owned(),
            ..Event::default()
        })
    }
}

/// What was masked already: paths, agents and referers repeat. Bounded by the texts of a piece.
#[derive(Debug, Default)]
pub struct Memo {
    texts: HashMap<(char, String, String), String>,
    /// The key that is looked for, made in place.
    key: (char, String, String),
}

impl Memo {
    fn of(&mut self, (kind, text, more): (char, &str, &str), mask: impl FnOnce() -> String) -> String {
        let (last_kind, last_text, last_more) = &mut self.key;
        *last_kind = kind;
        last_text.clear();
        last_text.push_str(text);
        last_more.clear();
        last_more.push_str(more);
        if let Some(known) = self.texts.get(&self.key) {
            return known.clone();
        }
        let masked = mask();
        self.texts.insert(self.key.clone(), masked.clone());
        masked
    }
}

#[cfg(test)]
mod tests {
    use event::redact::Rules;

    use super::*;

    fn maker(source: &str) -> Maker {
        let origin = Origin {
            source: source.to_owned(),
            service: "shop".to_owned(),
            version: "0.1.0".to_owned(),
            environment: "local".to_owned(),
            tenant: "default".to_owned(),
        };
        Maker::new(origin, Redactor::new([7; 32], Rules::default()).unwrap(), [9; 32]).unwrap()
    }

    #[test]
    fn an_id_follows_from_log_number_and_line() {
        let at = Timestamp::parse("2015-05-17T10:05:03Z").unwrap();
        let id = maker("a").id(1, b"x", at);
        assert_eq!(id, maker("a").id(1, b"x", at));
        for other in [maker("b").id(1, b"x", at), maker("a").id(2, b"x", at), maker("a").id(1, b"y", at)] {
            assert_ne!(id, other);
        }
        assert_eq!(id.to_string()[..15], *"014d6155-8098-7");
    }

    #[test]
    fn secrets_are_masked_and_the_rest_is_kept() {
        let maker = maker("a");
        let mask = maker.redactor.mask("hunter2");
        let seen = Seen {
            target: "/a/b?x=1&token=hunter2".into(),
            method: "BREW".into(),
            referer: Some("https://x/?password=hunter2".into()),
            agent: Some("curl token=hunter2".into()),
            user: Some("ann".into()),
            content_type: Some("application/json".into()),
            body: Some(r#"{"password":"hunter2","n":1}"#.into()),
            ..Seen::default()
        };
        let event = maker.event(1, b"line", &seen, &mut Memo::default());
        let line = String::from_utf8(event.to_line()).unwrap();
        assert!(!line.contains("hunter2") && line.matches(&mask).count() == 5, "{line}");
        assert_eq!((event.path.as_str(), event.method.as_str()), ("/a/b", "_OTHER"));
        assert_eq!(event.query_string, Some(format!("token={mask}&x=1")));
        assert_eq!((event.user_id.as_deref(), event.request_body_encoding.as_str()), (Some("ann"), "json"));
        assert_eq!(event.compute_hash(), event.event_hash);
    }

    #[test]
    fn what_is_remembered_is_what_is_made() {
        let (maker, mut memo) = (maker("a"), Memo::default());
        let seen = |path: &'static str, agent: Option<&'static str>, referer: Option<&'static str>| Seen {
            target: path.into(),
            agent: agent.map(Cow::from),
            referer: referer.map(Cow::from),
            ..Seen::default()
        };
        for seen in [
            seen("/a", Some("x"), None),
            seen("/a", Some("/a"), Some("/a")),
            seen("/a", None, Some("x")),
            seen("x", Some("x"), Some("x")),
            seen("/a", None, None),
        ] {
            for _ in 0..2 {
                assert_eq!(maker.event(1, b"", &seen, &mut memo), maker.event(1, b"", &seen, &mut Memo::default()));
            }
        }
    }
}
