//! `/users`: make, list, change, remove.

use event::domain::user::{self, Command, NewUser, Patch, User};
use event::domain::{Operation, email};

use super::dispatch::{Call, json_body, read};
use super::entity::{ATTEMPTS, Decided, Kind};
use super::{Api, Finished, unavailable};
use crate::http::Problem;
use crate::record::Record;
use crate::store::{Claim, EntityRef, Unique};

/// Users, as their routes know them.
pub(super) const USER: Kind = Kind { entity: user::ENTITY, what: "User", path: "/users", id };

impl Api {
    /// The same again is answered with what is there: who chooses the id can repeat the request without a key.
    pub(super) async fn create_user(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(user::ENTITY, None, Operation::Create);
        let new = NewUser::parse(json_body(record)?).map_err(|errors| USER.invalid(errors))?;
        record.about(user::ENTITY, Some(&new.user_id), Operation::Create);
        let (entity, now) = (USER.entity(call, new.user_id.clone()), record.received_at());
        for _ in 0..ATTEMPTS {
            let stored = self.store.load(&entity).await.map_err(|error| unavailable(&error))?;
            let current: Option<User> = stored.as_ref().map(|stored| USER.read(stored)).transpose()?;
            if let (Some(stored), Some(user)) = (&stored, &current)
                && new.is_met_by(user, now)
            {
                record.version(stored.version);
                return USER.made(self, call, 200, &entity.id, stored.version, stored.state.as_str()).map(read);
            }
            let command = Command::Create(new.clone(), self.settings.user_lifetime);
            let decided = decide(current.as_ref(), command, None, &entity.id, now)?;
            let (version, state) = (decided.change.version, decided.change.state.as_str());
            let answer = USER.made(self, call, 201, &entity.id, version, state)?;
            let done = self.append_change(call, record, &entity, stored.as_ref(), decided, answer).await?;
            if let Some(finished) = done {
                return Ok(finished);
            }
        }
        Err(USER.keeps_changing())
    }

    pub(super) async fn update_user(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        let entity = USER.named(call, record, Operation::Update)?;
        let patch = Patch::parse(json_body(record)?).map_err(|errors| USER.invalid(errors))?;
        self.change_user(call, record, &entity, &Command::Update(patch, self.settings.user_lifetime)).await
    }

    pub(super) async fn delete_user(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        let entity = USER.named(call, record, Operation::Delete)?;
        self.change_user(call, record, &entity, &Command::Delete).await
    }

    async fn change_user(
        &self,
        call: &Call<'_>,
        record: &mut Record,
        entity: &EntityRef,
        command: &Command,
    ) -> Result<Finished, Problem> {
        let now = record.received_at();
        self.change_entity(call, record, &USER, entity, |user: Option<&User>, expected| {
            decide(user, command.clone(), expected, &entity.id, now)
        })
        .await
    }

    pub(super) async fn list_users(&self, call: &Call<'_>, record: &mut Record) -> Result<Finished, Problem> {
        record.about(user::ENTITY, None, Operation::List);
        let given = call.query.get(user::UNIQUE)?;
        let normalised = given.map(|text| {
            let refused = || Problem::parameter(user::UNIQUE, "invalid_value", "email must be an e-mail address.");
            email::normalised(text).ok_or_else(refused)
        });
        let normalised = normalised.transpose()?;
        self.list_entities(call, &USER, normalised.iter().map(|email| (user::UNIQUE, email.as_str())).collect()).await
    }
}

/// What a command does to a user, and to whom its address belongs.
fn decide(
    current: Option<&User>,
    command: Command,
    expected: Option<i64>,
    id: &str,
    now: event::Timestamp,
) -> Result<Decided, Problem> {
    let before = current.filter(|user| user.is_there(now));
    let left = before.map(|user| Claim { value: user.email.clone(), expires_at: user.expires_at });
    let address = match &command {
        Command::Create(new, _) => Some(new.email.clone()),
        Command::Update(patch, _) => patch.email.clone().or_else(|| before.map(|user| user.email.clone())),
        Command::Delete => None,
    };
    let change =
        user::decide(current, command, expected, id, now).map_err(|refusal| USER.refused(refusal, expected))?;
    let taken = address.map(|value| Claim { value, expires_at: change.state.expires_at() });
    Ok(Decided { change, unique: Some(Unique { field: user::UNIQUE, taken, left }) })
}

/// A text that can be no id names nothing that exists.
fn id(text: &str) -> Result<String, Problem> {
    if user::is_id(text) { Ok(text.to_owned()) } else { Err(USER.not_found()) }
}
