//! From a request to its handler: what every route has in common, in one order.

use event::domain::FieldError;

use super::assets::ASSET;
use super::tasks::TASK;
use super::users::USER;
use super::{Admission, Api, Finished, Unfinished};
use crate::http::auth::{Identity, Refused};
use crate::http::idempotency::{Guard, Key, key_of};
use crate::http::query::Query;
use crate::http::rates::TooMany;
use crate::http::route::{Matched, Route, find};
use crate::http::{Answer, Problem, Received, accept, cors, limits};
use crate::record::{Kind, Record};

/// A request that has passed everything that routes have in common.
pub(super) struct Call<'a> {
    pub received: &'a Received,
    pub identity: Identity,
    pub query: Query,
    /// The path's parameter, decoded and masked.
    pub parameter: String,
    pub key: Option<Key>,
}

impl Call<'_> {
    /// The path of an entity's own resource.
    pub fn location(&self, api: &Api, path: &str) -> String {
        format!("{}{}{path}", self.received.mount, api.settings.base_path)
    }
}

impl Api {
    pub(super) async fn dispatch(
        &self,
        received: &Received,
        record: &mut Record,
        admission: &mut Admission,
    ) -> Result<Finished, Unfinished> {
        let identity = self.identify(received, record).await;
        // Whose content is kept already is not told that it came too often.
        if let (Ok(identity), false) = (&identity, admission.is_metered) {
            self.rates.take_key(identity, &mut admission.meter).inspect_err(|_| self.note_route(received, record))?;
        }
        Ok(self.carry_out(received, identity, record).await?)
    }

    /// Carries out a request that did not come too often.
    async fn carry_out(
        &self,
        received: &Received,
        identity: Result<Identity, Problem>,
        record: &mut Record,
    ) -> Result<Finished, Problem> {
        limits::check(received)?;
        let matched = find(&received.method, &received.path, &self.settings.base_path)?;
        record.route(matched.template);
        if received.method == "OPTIONS" {
            return Ok(self.options(received, &matched));
        }
        let Some(route) = matched.route else {
            let allow = matched.allow();
            let detail = format!("This path takes {allow}.");
            return Err(Problem::method_not_allowed(detail).with("allow", allow));
        };
        let identity = if route.is_open() { identity.unwrap_or_else(|_| Identity::anonymous()) } else { identity? };
        identity.may_use(route)?;
        check_types(received, route)?;
        let mut key = if route.changes() { key_of(received, &identity, route.template())? } else { None };
        if let Some(key) = &mut key {
            key.key = self.redactor.value(&key.key).into_owned();
        }
        let query = Query::parse(received.query.as_deref());
        let parameter = self.redactor.text(&matched.parameter).into_owned();
        let call = Call { received, identity, query, parameter, key };
        let (answered, _guard) = self.claim_key(&call, record).await?;
        match answered {
            Some(finished) if route == Route::CreateAsset => self.renewed(&call, finished).await,
            Some(finished) => Ok(finished),
            None => self.run(route, &call, record).await,
        }
    }

    /// Takes down whose request was refused, and which route it is for, as far as it says so. It counts for the key's
    /// rate like any other: a flood of refusals is counted, not recorded.
    pub(super) async fn identify_refused(
        &self,
        received: &Received,
        problem: Problem,
        record: &mut Record,
        admission: &mut Admission,
    ) -> Unfinished {
        let identity = self.identify(received, record).await;
        if let Some(tenant) = admission.tenant.take() {
            // Whose URL it had is proven, whoever sent it.
            record.identify(&Identity { tenant, ..Identity::anonymous() });
        }
        self.note_route(received, record);
        match identity {
            Ok(identity) if !admission.is_metered => {
                self.rates.take_key(&identity, &mut admission.meter).map_or_else(Unfinished::from, |()| problem.into())
            }
            // That it is refused is known already.
            _ => problem.into(),
        }
    }

    /// Takes down who has asked too often from one address, unless it is one of a flood.
    pub(super) async fn identify_too_many(
        &self,
        received: &Received,
        too_many: TooMany,
        record: &mut Record,
    ) -> Unfinished {
        if too_many.recorded {
            // That it is refused is known already.
            let _ = self.identify(received, record).await;
            self.note_route(received, record);
        }
        too_many.into()
    }

    /// Takes down which route a request is for that is not carried out.
    pub(super) fn note_route(&self, received: &Received, record: &mut Record) {
        if let Ok(matched) = find(&received.method, &received.path, &self.settings.base_path) {
            record.route(matched.template);
        }
    }

    /// Finds out who is asking, and takes it down, also of those who are refused.
    async fn identify(&self, received: &Received, record: &mut Record) -> Result<Identity, Problem> {
        let identity = self.gate.identify(received).await;
        match &identity {
            Ok(identity) => record.identify(identity),
            Err(Refused { suspect: Some(suspect), .. }) => record.identify(suspect),
            Err(_) => {}
        }
        identity.map_err(|refused| refused.problem)
    }

    async fn run(&self, route: Route, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        match route {
            Route::SubmitData => self.submit_data(call, record).await,
            Route::ListData => self.list_data(call, record).await,
            Route::GetData => self.get_data(call, record).await,
            Route::CreateTask => self.create_task(call, record).await,
            Route::ListTasks => self.list_tasks(call, record).await,
            Route::GetTask => self.get_entity(call, record, &TASK).await,
            Route::TaskHistory => self.entity_history(call, record, &TASK).await,
            Route::UpdateTask => self.update_task(call, record).await,
            Route::DeleteTask => self.delete_task(call, record).await,
            Route::CreateUser => self.create_user(call, record).await,
            Route::ListUsers => self.list_users(call, record).await,
            Route::GetUser => self.get_entity(call, record, &USER).await,
            Route::UserHistory => self.entity_history(call, record, &USER).await,
            Route::UpdateUser => self.update_user(call, record).await,
            Route::DeleteUser => self.delete_user(call, record).await,
            Route::CreateAsset => self.create_asset(call, record).await,
            Route::ListAssets => self.list_assets(call, record).await,
            Route::GetAsset => self.get_asset(call, record).await,
            Route::AssetHistory => self.entity_history(call, record, &ASSET).await,
            Route::DownloadAsset => self.download_asset(call, record).await,
            Route::DeleteAsset => self.delete_asset(call, record).await,
            #[cfg(feature = "local")]
            Route::UploadContent => self.upload_content(call, record).await,
            #[cfg(feature = "local")]
            Route::ReadContent => self.read_content(call, record).await,
            #[cfg(not(feature = "local"))]
            Route::UploadContent | Route::ReadContent => Err(Problem::not_found("There is nothing at this path.")),
            Route::Random => self.random(call, record),
            Route::ListQueries => self.ask(call, record, None).await,
            Route::RunQuery => self.ask(call, record, Some(call.parameter.clone())).await,
            Route::Health => Ok(read(self.health())),
            Route::OpenApi => self.openapi(call),
            Route::Docs => self.docs(call),
        }
    }

    fn health(&self) -> Answer {
        let mut health = serde_json::json!({
            "status": "ok",
            "service": self.settings.service,
            "version": self.settings.service_version,
        });
        if let Some(rates) = self.rates.report() {
            health["rates"] = rates;
        }
        if let Some(server) = &self.health {
            health["server"] = server();
        }
        Answer::json(200, &health)
    }

    fn options(&self, received: &Received, matched: &Matched) -> Finished {
        let allow = matched.allow();
        let mut answer = Answer::empty(204).with("allow", allow.clone());
        if cors::is_preflight(received) {
            answer.headers.extend(cors::preflight(received, &self.settings.cors_origins, &allow));
        }
        read(answer)
    }

    /// Gives the kept answer of an idempotency key that has one; else takes the key for as long as the guard lives.
    async fn claim_key(
        &self,
        call: &Call<'_>,
        record: &mut Record,
    ) -> Result<(Option<Finished>, Option<Guard<'_>>), Problem> {
        let Some(key) = &call.key else { return Ok((None, None)) };
        let Some(guard) = self.in_flight.enter(&key.scope) else {
            record.idempotency(&key.key, "in_flight");
            let detail = "A request with this Idempotency-Key is not finished; repeat it later.";
            return Err(Problem::in_flight(detail).with("retry-after", "1"));
        };
        let now = call.received.arrival.received_at;
        let kept = self.store.kept(&key.scope, now).await.map_err(|error| super::unavailable(&error))?;
        match kept {
            Some(kept) => Ok((Some(replay(key, kept, record)?), None)),
            None => {
                record.idempotency(&key.key, "first");
                Ok((None, Some(guard)))
            }
        }
    }
}

/// The kept answer, if the request is the one it was given to.
pub(super) fn replay(key: &Key, kept: crate::store::Kept, record: &mut Record) -> Result<Finished, Problem> {
    if kept.fingerprint != key.fingerprint {
        record.idempotency(&key.key, "mismatch");
        return Err(Problem::key_reused("This Idempotency-Key was used with another request."));
    }
    record.idempotency(&key.key, "replayed");
    let mut answer = Answer::of(kept.status, "application/json", kept.body);
    for (name, value) in kept.headers {
        match name.as_str() {
            "etag" => answer = answer.with("etag", value),
            "location" => answer = answer.with("location", value),
            _ => {}
        }
    }
    Ok(Finished::Answered { answer: answer.with("idempotency-replayed", "true"), kind: Kind::Replayed })
}

pub(super) fn read(answer: Answer) -> Finished {
    Finished::Answered { answer, kind: Kind::Read }
}

/// 415 for a body that is not JSON, 406 for a client that takes none.
fn check_types(received: &Received, route: Route) -> Result<(), Problem> {
    // A browser sends a body without a type to any address, and asks nobody: a foreign page could write.
    let unsaid = if received.headers.contains_key("origin") { "" } else { "application/json" };
    let content_type = received.headers.get("content-type").map_or(Ok(unsaid), |value| value.to_str());
    let is_json = content_type.is_ok_and(is_json) && !limits::is_encoded(received);
    if route.is_local() {
        // Contents are of any type, and who has a URL of one knows of which.
        return Ok(());
    }
    if route.takes_json() && !is_json {
        return Err(Problem::unsupported_type("Send the body as application/json in UTF-8, not compressed."));
    }
    let offered: &[&str] = match route {
        Route::RunQuery => &["application/json", "text/csv", "application/x-ndjson"],
        Route::Random => super::random::OFFERED,
        Route::Docs => &["text/html"],
        _ => &["application/json"],
    };
    match accept::choose(Some(&accepted(received)), offered) {
        Some(_) => Ok(()),
        None => Err(Problem::not_acceptable(format!("This route answers with {}.", offered.join(", ")))),
    }
}

/// The client's `Accept`: fields that stand several times are one list.
pub(super) fn accepted(received: &Received) -> String {
    let accepts = received.headers.get_all("accept").iter().filter_map(|value| value.to_str().ok());
    accepts.collect::<Vec<_>>().join(",")
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let kind = parts.next().unwrap_or_default();
    let json = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    let utf8 = |part: &str| {
        part.strip_prefix("charset=").is_none_or(|name| matches!(name.trim_matches('"'), "utf-8" | "utf8" | "us-ascii"))
    };
    json && parts.all(|part| utf8(&part))
}

/// The JSON text of a body, after redaction.
pub(super) fn json_body(record: &Record) -> Result<&str, Problem> {
    let whole = |code, detail: &str| Problem::fields(vec![FieldError::whole(code, detail)]);
    let text = record.body().ok_or_else(|| whole("malformed", "Send a JSON object in UTF-8 as the body."))?;
    if limits::json_depth(text) > limits::JSON_DEPTH {
        return Err(whole("too_deep", &format!("The body nests deeper than {} levels.", limits::JSON_DEPTH)));
    }
    Ok(text)
}
