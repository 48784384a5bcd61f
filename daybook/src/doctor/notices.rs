//! Whether what was chosen is told of.

use ingest::local::notices::{Letters, Record, removed_to};

use super::Finding;
use crate::config::Config;
use crate::installation::Installation;

/// After so many attempts a notice has waited for about a minute.
const MANY: u32 = 6;

/// Looks at how far the notices are, and at those that were given up.
pub async fn all(config: &Config, installation: &Installation) -> Vec<Finding> {
    let record = match Record::read(installation.folder()) {
        Ok(Some(record)) => record,
        Ok(None) => return vec![Finding::fine("notices", "none were sent here")],
        Err(error) => return vec![Finding::broken("notices", error.to_string(), "restore the file, or remove it")],
    };
    let mut findings = Vec::new();
    findings.extend(missed(config, installation, &record).await);
    findings.extend(letters(installation, &record));
    findings.extend(waiting(config, &record));
    if findings.is_empty() {
        findings.push(Finding::fine("notices", format!("what is chosen is told of up to batch {}", record.read_to)));
    }
    findings
}

/// Events that had their time in the store before they were told of.
async fn missed(config: &Config, installation: &Installation, record: &Record) -> Option<Finding> {
    let mend = "daybook export events has them; a longer event-retention-days gives the receiver more time. Remove \
                notices/position.json while no server runs, and notices begin with what comes";
    if let Some(missed) = record.missed {
        let found = format!("events of the batches {} to {} went before they were told of", missed.first, missed.last);
        return Some(Finding::warning("notices", found, mend));
    }
    let choice = &config.notify.as_ref()?.choice;
    let reader = installation.reader().ok().flatten().filter(|reader| reader.store_id() == record.store)?;
    let removed = removed_to(reader.extent().await.ok()?, choice);
    let found = format!("events of the batches {} to {removed} went before they were told of", record.read_to + 1);
    (removed > record.read_to).then(|| Finding::warning("notices", found, mend))
}

fn letters(installation: &Installation, record: &Record) -> Option<Finding> {
    let letters = match Letters::of(installation.folder()).read() {
        Ok(letters) => letters,
        Err(error) => return Some(Finding::broken("notices", error.to_string(), "restore the file, or remove it")),
    };
    let dropped = match record.dropped {
        0 => String::new(),
        dropped => format!("; {dropped} more made room for them"),
    };
    let found = format!("{} notices were given up{dropped}", letters.len());
    let mend = "daybook notices list says why; daybook notices retry sends them again";
    (!letters.is_empty() || record.dropped > 0).then(|| Finding::warning("notices", found, mend))
}

fn waiting(config: &Config, record: &Record) -> Option<Finding> {
    if config.notify.is_none() {
        let found = format!("they were sent up to batch {}; no notify-url is set here", record.read_to);
        return Some(Finding::fine("notices", found));
    }
    let failing = record.waiting.iter().filter(|waiting| waiting.attempts > 0).count();
    let most = record.waiting.iter().map(|waiting| waiting.attempts).max().unwrap_or(0);
    let found = format!("{failing} notices were not taken yet, one of them {most} times");
    (most >= MANY).then(|| Finding::warning("notices", found, "look at the receiver, and at the server's log"))
}
