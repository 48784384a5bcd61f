//! `/assets`: announce, list, read, download, remove. Contents come and go by URLs of their own.

use event::domain::asset::{self, Asset, Command, Content, NewAsset, Status};
use event::domain::{Operation, State};
use event::{Timestamp, key};
use serde_json::{Map, Value, json};

use super::dispatch::{Call, json_body, read};
use super::entity::{ATTEMPTS, Decided, Kind, shown};
use super::{Api, Finished, unavailable};
use crate::assets::{self, Place};
use crate::http::{Answer, Problem, Received};
use crate::record::{self, Record};
use crate::store::{EntityRef, Stored};

/// Assets, as their routes know them.
pub(super) const ASSET: Kind = Kind { entity: asset::ENTITY, what: "Asset", path: "/assets", id };

/// What a request wants to see of an asset.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// What is known of it.
    Metadata,
    /// A URL of its content.
    Download,
}

impl Api {
    /// The same again is answered with what is there, and with a URL of its own.
    pub(super) async fn create_asset(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(asset::ENTITY, None, Operation::Create);
        let new = NewAsset::parse(json_body(record)?).map_err(|errors| ASSET.invalid(errors))?;
        let id = new.asset_id.clone().unwrap_or_else(|| record.event_id().to_string());
        record.about(asset::ENTITY, Some(&id), Operation::Create);
        let entity = ASSET.entity(call, id);
        for _ in 0..ATTEMPTS {
            let stored = self.store.load(&entity).await.map_err(|error| unavailable(&error))?;
            let current: Option<Asset> = stored.as_ref().map(|stored| ASSET.read(stored)).transpose()?;
            if let (Some(stored), Some(asset)) = (&stored, &current)
                && new.is_met_by(asset, record.received_at())
            {
                record.version(stored.version);
                return self.announced(call, 200, asset, &stored.state).await.map(read);
            }
            let key = key::asset(&entity.tenant, &entity.id, record.event_id());
            let command = Command::Create(new.clone(), key, self.settings.asset_lifetime);
            let (decided, asset) = decide(current.as_ref(), command, None, &entity, record)?;
            let answer = self.announced(call, 201, &asset, &decided.change.state).await?;
            let done = self.append_change(call, record, &entity, stored.as_ref(), decided, answer).await?;
            if let Some(finished) = done {
                // Of two with one key, the slower one has the other's answer.
                return self.renewed(call, finished).await;
            }
        }
        Err(ASSET.keeps_changing())
    }

    pub(super) async fn list_assets(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(asset::ENTITY, None, Operation::List);
        let status = call.query.choice("status", Status::WORDS)?;
        self.list_entities(call, &ASSET, status.map(|status| ("status", status)).into_iter().collect()).await
    }

    pub(super) async fn get_asset(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        match self.moment(call)? {
            None => self.view_asset(call, record, View::Metadata).await,
            Some(_) => self.get_entity(call, record, &ASSET).await,
        }
    }

    pub(super) async fn download_asset(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        self.view_asset(call, record, View::Download).await
    }

    /// State first, content then: whoever sees the asset sees it whole. What a crash in between leaves behind is found by
    /// the sweep of one machine, and by the bucket's lifecycle; who repeats the request removes it, too.
    pub(super) async fn delete_asset(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        let entity = ASSET.named(call, record, Operation::Delete)?;
        let (id, now) = (entity.id.as_str(), record.received_at());
        let done = self
            .change_entity(call, record, &ASSET, &entity, |asset: Option<&Asset>, expected| {
                let change = asset::decide(asset, Command::Delete, expected, id, now)
                    .map_err(|refusal| ASSET.refused(refusal, expected))?;
                Ok(Decided { change, unique: None })
            })
            .await;
        self.remove_content(&entity, now).await;
        done
    }

    /// Removes the content of an asset that is there no more. That it could not be is told to the log alone.
    async fn remove_content(&self, entity: &EntityRef, now: Timestamp) {
        let Ok(Some(stored)) = self.store.load(entity).await else { return };
        let Ok(asset) = ASSET.read::<Asset>(&stored) else { return };
        if !asset.is_there(now)
            && let Err(error) = self.assets.remove(&asset.key).await
        {
            tracing::warn!(%error, key = asset.key, "the content of a removed asset is left behind");
        }
    }

    /// Shows an asset. The first request that finds its content there is the one that records it.
    async fn view_asset(&self, call: &Call<'_>, record: &mut Record, view: View) -> Result<Finished, Problem> {
        let entity = ASSET.named(call, record, Operation::Read)?;
        for _ in 0..ATTEMPTS {
            let (stored, asset) = self.asset(&entity, record.received_at()).await?;
            let Some(content) = self.arrived(&asset).await? else {
                record.version(stored.version);
                return self.shown(call, view, &asset, &stored.state).await.map(read);
            };
            let (decided, after) = decide(Some(&asset), Command::Upload(content), None, &entity, record)?;
            let answer = self.shown(call, view, &after, &decided.change.state).await?;
            let done = self.append_change(call, record, &entity, Some(&stored), decided, answer).await?;
            if let Some(finished) = done {
                return Ok(finished);
            }
        }
        Err(ASSET.keeps_changing())
    }

    /// An asset that is there.
    pub(super) async fn asset(&self, entity: &EntityRef, now: Timestamp) -> Result<(Stored, Asset), Problem> {
        let stored = self.store.load(entity).await.map_err(|error| unavailable(&error))?;
        let stored = stored.filter(|stored| stored.is_there(now)).ok_or_else(|| ASSET.not_found())?;
        let asset = ASSET.read(&stored)?;
        Ok((stored, asset))
    }

    /// The content of a pending asset, if it has come. One that is not as it was announced is removed.
    async fn arrived(&self, asset: &Asset) -> Result<Option<Content>, Problem> {
        if asset.status == Status::Uploaded {
            return Ok(None);
        }
        let found = self.assets.find(&asset.key).await.map_err(|error| unavailable(&error))?;
        let Some(content) = found else { return Ok(None) };
        if asset.takes(content.size) {
            return Ok(Some(content));
        }
        tracing::warn!(
            key = asset.key,
            bytes = content.size,
            "a content is not of the announced length; it is removed"
        );
        self.assets.remove(&asset.key).await.map_err(|error| unavailable(&error))?;
        Ok(None)
    }

    async fn shown(&self, call: &Call<'_>, view: View, asset: &Asset, state: &State) -> Result<Answer, Problem> {
        if view == View::Metadata {
            return shown(call, asset.version, state.as_str().to_owned());
        }
        if asset.status == Status::Pending {
            return Err(Problem::conflict("The asset's content is not uploaded yet."));
        }
        let size = self.assets.size(&asset.key).await.map_err(|error| unavailable(&error))?;
        if size.is_none() {
            return Err(Problem::not_found("The asset's content is not there any more."));
        }
        let place = self.place(call);
        let url = self.assets.download(asset, &place).await.map_err(|error| unavailable(&error))?;
        Ok(Answer::json(200, &json!({"downloadUrl": url, "expiresIn": assets::lasts(asset, place.now)})))
    }

    /// 201 or 200, with a URL for the content of an asset that has none yet.
    async fn announced(&self, call: &Call<'_>, status: u16, asset: &Asset, state: &State) -> Result<Answer, Problem> {
        let answer = ASSET.made(self, call, status, &asset.asset_id, asset.version, state.as_str())?;
        match asset.status {
            Status::Pending => self.with_upload(call, answer, asset).await,
            Status::Uploaded => Ok(answer),
        }
    }

    /// The answer with a URL for the content. It is kept without: the URL is a secret, and soon good for nothing.
    async fn with_upload(&self, call: &Call<'_>, answer: Answer, asset: &Asset) -> Result<Answer, Problem> {
        let place = self.place(call);
        let grant = self.assets.upload(asset, &place).await.map_err(|error| unavailable(&error))?;
        let mut body: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
        let headers: Map<String, Value> =
            grant.headers.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        body.insert("uploadUrl".to_owned(), Value::from(grant.url));
        body.insert("uploadHeaders".to_owned(), Value::from(headers));
        body.insert("expiresIn".to_owned(), Value::from(assets::lasts(asset, place.now)));
        Ok(answer.with_secrets(Value::from(body).to_string()))
    }

    /// Gives a kept answer to a creation a URL of its own, as long as the content that it announced is still to come.
    pub(super) async fn renewed(&self, call: &Call<'_>, finished: Finished) -> Result<Finished, Problem> {
        let Finished::Answered { answer, kind: record::Kind::Replayed } = finished else { return Ok(finished) };
        let kept: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = kept.get("id").and_then(Value::as_str).unwrap_or_default();
        let key = kept.get("asset").and_then(|asset| asset.get("key")).and_then(Value::as_str);
        let entity = ASSET.entity(call, id.to_owned());
        let answer = match self.asset(&entity, call.received.arrival.received_at).await {
            Ok((_, asset)) if asset.status == Status::Pending && key == Some(asset.key.as_str()) => {
                self.with_upload(call, answer, &asset).await?
            }
            _ => answer,
        };
        Ok(Finished::Answered { answer, kind: record::Kind::Replayed })
    }

    fn place(&self, call: &Call<'_>) -> Place {
        let (tenant, now) = (call.identity.tenant.clone(), call.received.arrival.received_at);
        Place { api: format!("{}{}", origin(call.received), call.location(self, "")), tenant, now }
    }
}

/// What a command does to an asset, and what it is then.
pub(super) fn decide(
    current: Option<&Asset>,
    command: Command,
    expected: Option<i64>,
    entity: &EntityRef,
    record: &Record,
) -> Result<(Decided, Asset), Problem> {
    let change = asset::decide(current, command, expected, &entity.id, record.received_at())
        .map_err(|refusal| ASSET.refused(refusal, expected))?;
    let asset = serde_json::from_str(change.state.as_str())
        .map_err(|_| Problem::internal("What was decided of the asset cannot be read."))?;
    Ok((Decided { change, unique: None }, asset))
}

/// Where the client says that it reaches this API. Nobody but the client is told so again.
fn origin(received: &Received) -> String {
    let is_plain = |host: &&str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    let Some(host) = received.header("host").filter(is_plain) else { return String::new() };
    let scheme = match received.header("x-forwarded-proto") {
        Some("https") => "https",
        _ => "http",
    };
    format!("{scheme}://{host}")
}

/// A text that can be no id names nothing that exists.
fn id(text: &str) -> Result<String, Problem> {
    if asset::is_id(text) { Ok(text.to_owned()) } else { Err(ASSET.not_found()) }
}
