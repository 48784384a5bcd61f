//! What there is in the end, read past every fault: table, raw objects, states, bodies.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use compactor::{Limits, RawLog, RawObject, count_raw, counts};
use event::{Event, sha256_hex};
use flate2::read::MultiGzDecoder;
use ingest::store::{EntityRef, EventStore};

use super::{Flow, table};
use crate::oracle::Evidence;

impl Flow {
    /// What the oracle judges by. Everything must have been relayed and compacted.
    pub async fn evidence(&self) -> Evidence {
        let lake = self.lake_past().await;
        let rows = table::rows(&lake).await.expect("a table that can be read");
        let raw: Arc<dyn RawLog> = Arc::new(compactor::aws::raw_log(&self.past.settings, self.bucket()));
        let listing = raw.list(None).await.expect("a listing");
        let lines = count_raw(&raw, &listing, Limits::default()).await.expect("raw objects that can be read").lines;
        let entities: BTreeSet<EntityRef> = rows.iter().filter_map(changed).collect();
        let mut stored = BTreeMap::new();
        for entity in entities {
            let state = self.store().load(&entity).await.expect("a state that can be read");
            stored.insert(entity, state);
        }
        let mut bodies = BTreeMap::new();
        for key in rows.iter().filter_map(|row| row.request_body_ref.clone()) {
            let body = self.store().read_aside(&key).await.expect("a body that can be read");
            bodies.insert(key, body.as_deref().map(sha256_hex));
        }
        let counts = counts(&lake.load().await.expect("a table")).expect("a table's counts");
        Evidence { counts, raw_lines: lines, raw_ids: raw_ids(raw, listing).await, rows, stored, bodies }
    }
}

/// The entity with a state that an event changed.
fn changed(event: &Event) -> Option<EntityRef> {
    let kind = event.entity_type.clone().filter(|kind| event::domain::fold::has_state(kind))?;
    let id = event.entity_id.clone()?;
    let is_change = !event.event_type.starts_with("request.");
    is_change.then(|| EntityRef { tenant: event.tenant.clone(), kind, id })
}

/// The ids of every line that is an event, decoded without the compactor.
async fn raw_ids(raw: Arc<dyn RawLog>, listing: Vec<RawObject>) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for object in listing {
        let mut reader = raw.open(&object.key).await.expect("a raw object");
        let read = move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map(|_| bytes)
        };
        let bytes = tokio::task::spawn_blocking(read).await.expect("no panic").expect("a raw object's bytes");
        let lines = text(&bytes);
        let events = lines.split(|byte| *byte == b'\n').filter_map(|line| Event::from_line(line).ok());
        ids.extend(events.map(|event| event.event_id.to_string()));
    }
    ids
}

/// As much of an object as is sound.
fn text(bytes: &[u8]) -> Vec<u8> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes.to_vec();
    }
    let mut text = Vec::new();
    // What comes before the damage counts.
    let _ = MultiGzDecoder::new(bytes).read_to_end(&mut text);
    text
}
