//! Uploads as S3 tells of them: what came into the bucket becomes a change of its asset.
//!
//! The request is the one that the client sent to S3: its event says so, as far as S3 does.

use std::sync::{Mutex, PoisonError};

use cloud::Invocation;
use event::domain::asset::{self, Asset, Command, Content, Status};
use event::domain::{Change, Operation};
use event::{Event, EventIds, SCHEMA_VERSION, Sealed, key};
use percent_encoding::percent_decode_str;

use crate::assets::AssetStore;
use crate::aws::{Bucket, DynamoStore};
use crate::error::{Error, ErrorKind, Result};
use crate::json::{Json, Members};
use crate::settings::Settings;
use crate::store::{Append, Appended, EntityRef, EventStore, NewState, Stored};
use crate::system::System;

/// How often a change is decided anew when another one was faster.
const ATTEMPTS: usize = 3;

/// Records uploads.
#[derive(Debug)]
pub struct Uploads {
    store: DynamoStore,
    assets: Bucket,
    settings: Settings,
    ids: Mutex<EventIds>,
    system: System,
}

/// One object that came into the bucket.
#[derive(Debug, PartialEq, Eq)]
struct Upload {
    key: String,
    client_ip: Option<String>,
    request_id: Option<String>,
}

/// Whether an invocation's event is S3's.
pub fn is_notice(event: &str) -> bool {
    let records = Json::new(event).members().unwrap_or_default().get("Records").items().unwrap_or_default();
    records.first().and_then(|record| record.members()?.get("eventSource").text()).as_deref() == Some("aws:s3")
}

impl Uploads {
    /// Uploads into this bucket, recorded in this store.
    pub fn new(store: DynamoStore, assets: Bucket, settings: Settings, system: System) -> Self {
        Self { store, assets, settings, ids: Mutex::default(), system }
    }

    /// Records what S3 tells of; gives how many uploads were new. Told twice, or after somebody has looked, it is not.
    ///
    /// # Errors
    /// Store or bucket cannot be asked now; S3 tells it again, and whoever looks at the asset finds it, too.
    pub async fn record(&self, event: &str, invocation: &Invocation) -> Result<u64> {
        let records = Json::new(event).members().unwrap_or_default().get("Records").items().unwrap_or_default();
        let mut recorded = 0;
        for upload in records.into_iter().filter_map(upload) {
            recorded += u64::from(self.record_one(&upload, invocation).await?);
        }
        Ok(recorded)
    }

    async fn record_one(&self, upload: &Upload, invocation: &Invocation) -> Result<bool> {
        let Some((tenant, id, _)) = key::asset_of(&upload.key) else {
            tracing::warn!(key = upload.key, "an object came that is no asset's content");
            return Ok(false);
        };
        let entity = EntityRef { tenant, kind: asset::ENTITY.to_owned(), id };
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.store.load(&entity).await? else {
                tracing::warn!(key = upload.key, "a content came of an asset that is not known");
                return Ok(false);
            };
            let asset: Asset = serde_json::from_str(stored.state.as_str())
                .map_err(|error| Error::new(ErrorKind::Corrupt, "an asset's state is damaged").with_source(error))?;
            if !asset.is_there((self.system.now)()) || asset.key != upload.key {
                tracing::info!(key = upload.key, "a content came of an asset that is no more; it is removed");
                self.assets.remove(&upload.key).await?;
                return Ok(false);
            }
            if asset.status == Status::Uploaded {
                return Ok(false);
            }
            let Some(content) = self.assets.find(&upload.key).await? else { return Ok(false) };
            if !asset.takes(content.size) {
                tracing::warn!(key = upload.key, bytes = content.size, "a content is too large; it is removed");
                self.assets.remove(&upload.key).await?;
                return Ok(false);
            }
            match self.append(&entity, &stored, &asset, content, upload, invocation).await? {
                Appended::Conflict => {}
                _ => return Ok(true),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, format!("the asset of {} keeps changing", upload.key)))
    }

    async fn append(
        &self,
        entity: &EntityRef,
        stored: &Stored,
        asset: &Asset,
        content: Content,
        upload: &Upload,
        invocation: &Invocation,
    ) -> Result<Appended> {
        let event = self.request(upload, content.size, invocation);
        let change = asset::decide(Some(asset), Command::Upload(content), None, &entity.id, event.received_at)
            .map_err(|refusal| Error::new(ErrorKind::Unusable, format!("an upload was refused: {refusal:?}")))?;
        let event = Sealed::of(changed(event, entity, &change, &stored.event_hash));
        let state = Some(NewState { state: change.state, deleted: false });
        let entity = entity.clone();
        self.store.append(Append { event, entity, expected: stored.version, state, unique: None, keep: None }).await
    }

    /// The request that the client sent to S3.
    fn request(&self, upload: &Upload, size: i64, invocation: &Invocation) -> Event {
        let now = (self.system.now)();
        let random = (self.system.random)();
        let event_id = self.ids.lock().unwrap_or_else(PoisonError::into_inner).next(now, random);
        Event {
            event_id,
            schema_version: SCHEMA_VERSION,
            received_at: now,
            request_id: upload.request_id.clone().unwrap_or_else(|| event_id.to_string()),
            actor_type: "anonymous".to_owned(),
            client_ip: upload.client_ip.clone(),
            method: "PUT".to_owned(),
            path: format!("/{}", upload.key),
            request_bytes: size,
            request_body_encoding: "omitted".to_owned(),
            status: 200,
            service: self.settings.service.clone(),
            service_version: self.settings.service_version.clone(),
            environment: self.settings.environment.clone(),
            region: self.settings.region.clone(),
            invocation_id: Some(invocation.request_id.clone()),
            cold_start: Some(invocation.cold_start),
            ingest_path: "stream".to_owned(),
            ..Event::default()
        }
    }
}

/// The request as the change that it made.
fn changed(request: Event, entity: &EntityRef, change: &Change, previous: &str) -> Event {
    Event {
        event_type: change.event_type.to_owned(),
        tenant: entity.tenant.clone(),
        entity_type: Some(entity.kind.clone()),
        entity_id: Some(entity.id.clone()),
        entity_version: Some(change.version),
        operation: Some(Operation::Update.as_str().to_owned()),
        event_data: Some(change.data.to_string()),
        state_after: Some(change.state.as_str().to_owned()),
        state_hash: Some(change.state.hash()),
        prev_event_hash: Some(previous.to_owned()),
        ..request
    }
}

/// A record that says that an object came; `None` for any other.
fn upload(record: Json<'_>) -> Option<Upload> {
    let record: Members<'_> = record.members()?;
    if !record.get("eventName").text()?.starts_with("ObjectCreated:") {
        return None;
    }
    // As in a form: a space is a plus sign.
    let key = record.within("s3").within("object").get("key").text()?.replace('+', " ");
    Some(Upload {
        key: percent_decode_str(&key).decode_utf8().ok()?.into_owned(),
        client_ip: record.within("requestParameters").get("sourceIPAddress").text(),
        request_id: record.within("responseElements").get("x-amz-request-id").text(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(record: &Value) -> Option<Upload> {
        upload(Json::new(&record.to_string()))
    }

    #[test]
    fn objects_that_came_are_uploads() {
        let record = json!({
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "requestParameters": {"sourceIPAddress": "203.0.113.7"},
            "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
            "s3": {"object": {"key": "assets/a~20b/c+d%2Fe/1", "size": 5}},
        });
        let expect = Upload {
            key: "assets/a~20b/c d/e/1".to_owned(),
            client_ip: Some("203.0.113.7".to_owned()),
            request_id: Some("C3D13FE58DE4C810".to_owned()),
        };
        assert_eq!(read(&record), Some(expect));
        for (pointer, value) in [
            ("/eventName", json!("ObjectRemoved:Delete")),
            ("/eventName", json!(7)),
            ("/s3/object/key", json!(null)),
            ("/s3/object/key", json!("%ff")),
        ] {
            let mut other = record.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            assert_eq!(read(&other), None, "{other}");
        }
        assert!(is_notice(&json!({"Records": [record]}).to_string()));
        for other in ["{}", "[]", "{\"Records\":[]}", "{\"Records\":[{\"eventSource\":\"aws:dynamodb\"}]}"] {
            assert!(!is_notice(other), "{other}");
        }
    }
}
