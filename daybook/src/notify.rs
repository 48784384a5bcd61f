//! Settings of notices: who is told of what, and how they are sent.

use std::time::Duration;

use http::Uri;
use ingest::System;
use ingest::local::notices::{self, Receiver};
use ingest::notice::{Choice, Secret};

use crate::cli::Settings;
use crate::failure::{Failure, Result};
use crate::installation::Installation;

/// What takes about a day.
const ATTEMPTS: u32 = 35;
/// Nothing waits longer for an answer.
const LONGEST: Duration = Duration::from_secs(60);

/// Who is told of what.
#[derive(Debug, Clone)]
pub struct Notify {
    /// What is told of.
    pub choice: Choice,
    /// How often a notice is sent before it is given up.
    pub attempts: u32,
    url: Uri,
    timeout: Duration,
}

impl Notify {
    /// Reads the settings; `None` if nobody is told.
    ///
    /// # Errors
    /// One makes no sense, or does without a URL.
    pub fn read(given: &Settings, file: &Settings) -> Result<Option<Self>> {
        let events = given.notify_events.as_ref().or(file.notify_events.as_ref());
        let attempts = given.notify_attempts.or(file.notify_attempts);
        let timeout = given.notify_timeout.as_ref().or(file.notify_timeout.as_ref());
        let Some(url) = given.notify_url.as_ref().or(file.notify_url.as_ref()) else {
            let alone = events.map(|_| "events").or(attempts.map(|_| "attempts")).or(timeout.map(|_| "timeout"));
            return match alone {
                Some(name) => Err(Failure::new(format!("notify-{name} is nothing without notify-url"))),
                None => Ok(None),
            };
        };
        let named = |name: &'static str| move |error: String| Failure::new(format!("notify-{name}: {error}"));
        let attempts = attempts.unwrap_or(ATTEMPTS);
        if attempts == 0 {
            return Err(Failure::new("notify-attempts must be at least 1"));
        }
        Ok(Some(Self {
            url: notices::url(url).map_err(named("url"))?,
            choice: events
                .map_or_else(|| Ok(Choice::default()), |events| Choice::parse(events))
                .map_err(named("events"))?,
            attempts,
            timeout: timeout.map_or(Ok(Duration::from_secs(15)), |text| read_timeout(text))?,
        }))
    }

    /// Whom notices are sent to.
    ///
    /// # Errors
    /// The installation's key, or the system's certificates, cannot be read.
    pub fn receiver(&self, secret: Secret, system: System) -> Result<Receiver> {
        let settings = notices::Settings { url: self.url.clone(), secret, timeout: self.timeout };
        Ok(Receiver::new(settings, system)?)
    }
}

/// What notices are signed with: what is configured, or else made of the installation's key.
///
/// # Errors
/// The installation's key cannot be read or made.
pub fn secret(configured: Option<&Secret>, installation: &Installation) -> Result<Secret> {
    match configured {
        Some(secret) => Ok(secret.clone()),
        None => installation.key("notices").map(Secret::of),
    }
}

fn read_timeout(text: &str) -> Result<Duration> {
    let timeout = humantime::parse_duration(text).ok().filter(|timeout| !timeout.is_zero() && *timeout <= LONGEST);
    timeout.ok_or_else(|| Failure::new(format!("notify-timeout = {text:?} is none; write 500ms, 5s or 1m, at most 1m")))
}
