//! `/assets/{id}/content`: contents by signed URLs, where this process serves them itself.

use event::domain::Operation;
use event::domain::asset::{self, Asset, Command, Content, Status};
use event::key;

use super::assets::{ASSET, decide};
use super::dispatch::{Call, read};
use super::entity::{ATTEMPTS, Decided};
use super::{Admission, Api, Finished, unavailable};
use crate::assets::disposition;
use crate::http::auth::Identity;
use crate::http::query::Query;
use crate::http::range::{self, Ranged};
use crate::http::response::Part;
use crate::http::route::{Route, find};
use crate::http::{Answer, Problem, Received, ReceivedBody, limits};
use crate::local::assets::Folder;
use crate::record::Record;
use crate::store::EntityRef;

impl Api {
    /// The folder of contents, where this process has one.
    pub fn folder(&self) -> Option<&Folder> {
        self.assets.folder()
    }

    /// Whether a request's body is a content: not to be held in memory, and to be taken only if it is
    /// [admitted](Self::admit).
    pub fn takes_content(&self, received: &Received) -> bool {
        received.method == "PUT" && self.is_for(received, Route::UploadContent)
    }

    /// Whether a request's answer may be a content.
    pub fn gives_content(&self, received: &Received) -> bool {
        received.method == "GET" && self.is_for(received, Route::ReadContent)
    }

    fn is_for(&self, received: &Received, route: Route) -> bool {
        let found = || find(&received.method, &received.path, &self.settings.base_path);
        self.folder().is_some() && found().is_ok_and(|found| found.route == Some(route))
    }

    /// Says for which asset a request may upload, before its body is read; what is found out is taken down.
    ///
    /// # Errors
    /// It comes too often, what is wrong with its URL or its head, or the content is there already.
    pub async fn admit(&self, received: &Received, admission: &mut Admission) -> Result<Asset, Problem> {
        admission.is_metered = true;
        self.rates.take_address(received.client_ip.as_deref(), &mut admission.meter).map_err(|too_many| {
            admission.is_flood = !too_many.recorded;
            too_many.problem
        })?;
        limits::check(received)?;
        let found = find(&received.method, &received.path, &self.settings.base_path)?;
        let (entity, asset) = self.signed(received, &found.parameter, "PUT").await?;
        admission.tenant = Some(entity.tenant);
        let content_type = received.header("content-type").map(str::trim);
        if content_type != Some(&asset.content_type) || limits::is_encoded(received) {
            let detail = format!("Send the content as {}, not compressed.", asset.content_type);
            return Err(Problem::unsupported_type(detail));
        }
        let there = self.assets.size(&asset.key).await.map_err(|error| unavailable(&error))?;
        if asset.status == Status::Uploaded || there.is_some() {
            return Err(Problem::conflict("The asset's content is there already."));
        }
        Ok(asset)
    }

    /// Records a content that the server has kept. Its URL was looked at before a byte of it was read, and is not again:
    /// what is kept is recorded, or removed.
    pub(super) async fn upload_content(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(asset::ENTITY, Some(&call.parameter), Operation::Update);
        let ReceivedBody::Kept { key, size, sha256 } = &call.received.body else {
            return Err(Problem::internal("The content was not kept."));
        };
        let Some((tenant, id, _)) = key::asset_of(key) else {
            return Err(Problem::internal("The content was kept for no asset."));
        };
        record.identify(&Identity { tenant: tenant.clone(), ..Identity::anonymous() });
        let entity = EntityRef { tenant, kind: asset::ENTITY.to_owned(), id };
        let size = i64::try_from(*size).unwrap_or(i64::MAX);
        let content = Content { size, checksum: format!("sha256:{sha256}") };
        let done = self.record_content(call, record, &entity, key, content).await;
        if matches!(&done, Err(problem) if problem.status == 404) {
            // It was removed meanwhile, perhaps announced anew. If this fails, the sweep finds it.
            let _ = self.assets.remove(key).await;
        }
        done
    }

    async fn record_content(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        entity: &EntityRef,
        key: &str,
        content: Content,
    ) -> Result<Finished, Problem> {
        for _ in 0..ATTEMPTS {
            let (stored, asset) = self.asset(entity, record.received_at()).await?;
            if asset.key != key {
                return Err(ASSET.not_found());
            }
            if asset.status == Status::Uploaded {
                // Somebody who looked was faster.
                record.version(stored.version);
                return ASSET.made(self, call, 200, &entity.id, stored.version, stored.state.as_str()).map(read);
            }
            let (Decided { change, unique }, _) =
                decide(Some(&asset), Command::Upload(content.clone()), None, entity, record)?;
            let answer = ASSET.made(self, call, 200, &entity.id, change.version, change.state.as_str())?;
            let decided = Decided { change, unique };
            if let Some(done) = self.append_change(call, record, entity, Some(&stored), decided, answer).await? {
                return Ok(done);
            }
        }
        Err(ASSET.keeps_changing())
    }

    /// A content, or a part of it.
    pub(super) async fn read_content(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(asset::ENTITY, Some(&call.parameter), Operation::Read);
        let (entity, asset) = self.signed(call.received, &call.parameter, "GET").await?;
        record.identify(&Identity { tenant: entity.tenant, ..Identity::anonymous() });
        record.version(asset.version);
        let size = self.assets.size(&asset.key).await.map_err(|error| unavailable(&error))?;
        let Some(size) = size.filter(|_| asset.status == Status::Uploaded) else {
            return Err(Problem::not_found("The asset's content is not there."));
        };
        if Some(size) != asset.size {
            return Err(Problem::internal("The stored content of this asset is damaged."));
        }
        let tag = format!("\"{}\"", asset.checksum.as_deref().unwrap_or_default());
        let answer = match range::asked(call.received, size.unsigned_abs(), &tag)? {
            Ranged::Known => Answer::empty(304),
            Ranged::Whole => Answer::content(200, Part { key: asset.key, start: 0, length: size.unsigned_abs() }),
            Ranged::Part { start, length } => Answer::content(206, Part { key: asset.key, start, length })
                .with("content-range", format!("bytes {start}-{}/{size}", start + length - 1)),
        };
        let answer = answer
            .with("content-type", asset.content_type)
            .with("content-disposition", disposition(&asset.file_name))
            .with("etag", tag)
            .with("accept-ranges", "bytes")
            // Whatever the content says, it never acts in this API's name.
            .with("x-content-type-options", "nosniff")
            .with("content-security-policy", "sandbox; default-src 'none'")
            .with("referrer-policy", "no-referrer");
        Ok(read(answer))
    }

    /// The asset that a signed URL is for. Whatever is wrong with the URL, the answer does not say what there is.
    async fn signed(&self, received: &Received, id: &str, method: &str) -> Result<(EntityRef, Asset), Problem> {
        let Some(folder) = self.folder() else { return Err(Problem::not_found("There is nothing at this path.")) };
        let refused =
            || Problem::url_refused("The URL was altered, or is none of this installation; ask for a new one.");
        let query = Query::parse(received.query.as_deref());
        let expires: Option<i64> = query.get("expires")?.and_then(|text| text.parse().ok());
        let (Some(tenant), Some(expires), Some(signature)) = (query.get("tenant")?, expires, query.get("signature")?)
        else {
            return Err(refused());
        };
        let entity = EntityRef { tenant: tenant.to_owned(), kind: asset::ENTITY.to_owned(), id: id.to_owned() };
        let now = received.arrival.received_at;
        let asset = match self.asset(&entity, now).await {
            Err(problem) if problem.status == 404 => return Err(refused()),
            found => found?.1,
        };
        if !folder.is_signed(method, &asset, expires, signature) {
            return Err(refused());
        }
        if now.seconds() >= expires {
            return Err(Problem::url_refused("The URL has expired; ask for a new one."));
        }
        Ok((entity, asset))
    }
}
