//! One change in one transaction, whatever happens on the way (I1, I3, I4).
//!
//! The SDK's own repetitions are off: what may be said of a failed change depends on what became of each attempt.

use aws_sdk_dynamodb::config::Config;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Get, Put, ReturnValuesOnConditionCheckFailure, TransactGetItem, TransactWriteItem,
};
use cloud::sdk::ATTEMPTS;
use event::EventId;
use event::domain::{Lifetime, asset, submission, user};
use sha2::{Digest, Sha256};

use super::errors::{self, Failed};
use super::item::{self, Holds, Item};
use super::store::DynamoStore;
use super::table::{EXPIRES, PK};
use super::{keys, retry};
use crate::error::{Error, ErrorKind, Result};
use crate::receipt::Receipt;
use crate::store::{Append, Appended, Claim, Unique};

const WHAT: &str = "appending a change";

/// A change as it is sent: the same bytes and the same token each time.
struct Write {
    event_id: EventId,
    /// The event first, then the kept answer, then the state, then claims to unique values.
    puts: Vec<Put>,
    /// Where the kept answer stands.
    keep: Option<usize>,
    /// Where claims begin.
    claims: usize,
    /// Where those begin that are given up.
    left: usize,
    token: String,
}

/// What became of one attempt.
enum Attempt {
    /// It is decided.
    Settled(Appended),
    /// The table refused it; nothing was changed, and the same may pass later.
    Busy(Error),
    /// The table refused it, and would again; nothing was changed.
    Refused(Error),
    /// A value that it would give up is another's, who took it when it was free; nothing was changed.
    NotHeld,
    /// It may or may not have been carried out; the table is done with it.
    Lost(Error),
    /// There was no answer: it may even be carried out later.
    Silent(Error),
}

impl DynamoStore {
    pub(super) async fn append_once(&self, append: &Append) -> Result<Appended> {
        if append.expected < 0 || append.expected >= keys::LAST_VERSION {
            return Ok(Appended::Conflict);
        }
        let mut write = self.write(append)?;
        let (mut failed, mut lost, mut silent) = (0, false, false);
        let error = loop {
            let error = match self.attempt(&write).await? {
                Attempt::Settled(appended) => return Ok(appended),
                Attempt::NotHeld => {
                    let unique = append.unique.clone().map(|unique| Unique { left: None, ..unique });
                    write = self.write(&Append { unique, ..append.clone() })?;
                    continue;
                }
                Attempt::Refused(error) => break error,
                Attempt::Busy(error) => error,
                Attempt::Lost(error) => {
                    lost = true;
                    error
                }
                Attempt::Silent(error) => {
                    silent = true;
                    error
                }
            };
            failed += 1;
            let pause = self.deadline.bound(retry::pause(failed - 1, self.system.random));
            if failed == ATTEMPTS || pause.await.is_err() {
                break error;
            }
        };
        if !lost && !silent {
            return Err(error);
        }
        match self.find_out(&write, error).await {
            // Not there yet: an attempt that nobody has answered may still arrive, and then it will be.
            Err(error) if silent => Err(Error::new(ErrorKind::Unknown, format!("{error}; it may still arrive"))),
            found => found,
        }
    }

    /// The items of a change, each within the table's limits.
    fn write(&self, append: &Append) -> Result<Write> {
        let (event, entity) = (&append.event, &append.entity);
        let days = match entity.kind == submission::ENTITY {
            true => self.settings.submission_retention_days,
            false => self.settings.event_retention_days,
        };
        let expires = Lifetime::of_days(days).end(event.received_at);
        let mut puts = vec![self.put(item::of_event(append, expires)?, "attribute_not_exists(#pk)", [("#pk", PK)])?];
        if let Some(keep) = &append.keep {
            let names = [("#pk", PK), ("#until", item::UNTIL), ("#event", item::EVENT_ID)];
            let free = "attribute_not_exists(#pk) or #until <= :now or #event = :event";
            let mut put = self.put(item::of_kept(keep)?, free, names)?;
            let values = [(":now", item::number(event.received_at.micros())), (":event", item::text(event.event_id))];
            put.expression_attribute_values = Some(values.map(|(name, value)| (name.to_owned(), value)).into());
            puts.push(put);
        }
        if let Some(new) = &append.state {
            // Ids that clients choose come again, and their versions go on.
            let reused = matches!(entity.kind.as_str(), user::ENTITY | asset::ENTITY);
            let state = item::of_state(append, new, expires.filter(|_| !reused))?;
            puts.push(match append.expected {
                0 => self.put(state, "attribute_not_exists(#pk)", [("#pk", PK)])?,
                expected => {
                    let mut put = self.put(state, "#version = :expected", [("#version", item::VERSION)])?;
                    put.expression_attribute_values = Some([(":expected".to_owned(), item::number(expected))].into());
                    put
                }
            });
        }
        let (keep, claims) = (append.keep.as_ref().map(|_| 1), puts.len());
        let (taken, given_up) = self.claims(append)?;
        puts.extend(taken);
        let left = puts.len();
        puts.extend(given_up);
        Ok(Write { event_id: event.event_id, token: self.token(append), puts, keep, claims, left })
    }

    /// What a change takes of what only one may have, and what it gives up. The ingest role may not delete.
    fn claims(&self, append: &Append) -> Result<(Option<Put>, Option<Put>)> {
        let Some(unique) = &append.unique else { return Ok((None, None)) };
        let Unique { field, taken, left } = unique;
        if taken == left {
            return Ok((None, None));
        }
        // One that is had for longer, or not for as long, is no other.
        let stays = |left: &&Claim| taken.as_ref().is_some_and(|taken| taken.value == left.value);
        let given_up = left.as_ref().filter(|left| !stays(left)).map(|claim| self.leave(append, field, claim));
        let taken = taken.as_ref().map(|claim| self.take(append, field, claim));
        Ok((taken.transpose()?, given_up.transpose()?))
    }

    /// Takes a value, or has it for longer: on the condition that it is nobody's, its owner's own, or of one that has ended
    /// by then.
    fn take(&self, append: &Append, field: &str, claim: &Claim) -> Result<Put> {
        let free = "attribute_not_exists(#owner) or #owner = :owner or #expires <= :now";
        let item = item::of_claim(append, field, &claim.value, Holds::Until(claim.expires_at))?;
        let mut put = self.put(item, free, [("#owner", item::OWNER), ("#expires", EXPIRES)])?;
        let now = item::number(append.event.received_at.seconds());
        let values = [(":owner", item::text(&append.entity.id)), (":now", now)];
        put.expression_attribute_values = Some(values.map(|(name, value)| (name.to_owned(), value)).into());
        Ok(put)
    }

    /// Gives a value up that is the owner's own.
    fn leave(&self, append: &Append, field: &str, claim: &Claim) -> Result<Put> {
        let item = item::of_claim(append, field, &claim.value, Holds::NoMore)?;
        let own = "attribute_not_exists(#owner) or #owner = :owner";
        let mut put = self.put(item, own, [("#owner", item::OWNER)])?;
        put.expression_attribute_values = Some([(":owner".to_owned(), item::text(&append.entity.id))].into());
        Ok(put)
    }

    fn put<const N: usize>(&self, item: Item, condition: &str, names: [(&str, &str); N]) -> Result<Put> {
        let names = names.map(|(name, attribute)| (name.to_owned(), attribute.to_owned()));
        Put::builder()
            .table_name(&self.settings.table)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names.into()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| Error::new(ErrorKind::Unusable, WHAT).with_source(error))
    }

    /// A token for exactly these bytes. The event's id would not do: a change that lost a race is decided anew, with
    /// another version, under the same id.
    fn token(&self, append: &Append) -> String {
        let keep =
            append.keep.as_ref().map(|keep| (&keep.scope, serde_json::to_string(&keep.kept).unwrap_or_default()));
        let state = append.state.as_ref().map(|new| (new.state.as_str(), new.deleted));
        let mut hash = Sha256::new();
        hash.update(format!("{:?}\0{:?}\0{}\0{keep:?}\0{state:?}\0", self.settings, append.entity, append.expected));
        hash.update(format!("{:?}\0", append.unique));
        hash.update(append.event.line());
        event::hex(&hash.finalize()[..16])
    }

    async fn attempt(&self, write: &Write) -> Result<Attempt> {
        match write.puts.as_slice() {
            // Half the price of a transaction of one.
            [put] => self.attempt_put(write, put).await,
            _ => self.attempt_transaction(write).await,
        }
    }

    async fn attempt_put(&self, write: &Write, put: &Put) -> Result<Attempt> {
        let call = self
            .client
            .put_item()
            .table_name(&put.table_name)
            .set_item(Some(put.item.clone()))
            .set_condition_expression(put.condition_expression.clone())
            .set_expression_attribute_names(put.expression_attribute_names.clone())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .customize()
            .config_override(once());
        let error = match self.deadline.bound(call.send()).await {
            Ok(Ok(_)) => return Ok(write.done()),
            Ok(Err(error)) => error,
            Err(elapsed) => return Ok(Attempt::Silent(errors::elapsed(WHAT, elapsed))),
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => match write.is_own(failed.item()) {
                true => Ok(write.done()),
                false => Ok(Attempt::Settled(Appended::Conflict)),
            },
            // A transaction on the same item is under way.
            Some(PutItemError::TransactionConflictException(_)) => Ok(Attempt::Busy(busy("another transaction"))),
            _ => Ok(unsettled(&error)),
        }
    }

    async fn attempt_transaction(&self, write: &Write) -> Result<Attempt> {
        let puts = write.puts.iter().map(|put| TransactWriteItem::builder().put(put.clone()).build());
        let call = self
            .client
            .transact_write_items()
            .set_transact_items(Some(puts.collect()))
            .client_request_token(&write.token)
            .customize()
            .config_override(once());
        let error = match self.deadline.bound(call.send()).await {
            Ok(Ok(_)) => return Ok(write.done()),
            Ok(Err(error)) => error,
            Err(elapsed) => return Ok(Attempt::Silent(errors::elapsed(WHAT, elapsed))),
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                write.cancelled(cancelled.cancellation_reasons())
            }
            _ => Ok(unsettled(&error)),
        }
    }

    /// Looks whether a change whose answers were lost has been made.
    ///
    /// Reads in a transaction, which fails while one that writes is under way; a plain read would say "not there".
    async fn find_out(&self, write: &Write, error: Error) -> Result<Appended> {
        let unknown = |reason: String| Err(Error::new(ErrorKind::Unknown, format!("{error}; then {reason}")));
        let key = |name: &str| write.puts[0].item.get(name).map(|value| (name.to_owned(), value.clone()));
        let keys: Item = [PK, super::table::SK].iter().filter_map(|name| key(name)).collect();
        let get = match Get::builder().table_name(&self.settings.table).set_key(Some(keys)).build() {
            Ok(get) => TransactGetItem::builder().get(get).build(),
            Err(error) => return unknown(error.to_string()),
        };
        match self.last_moments.bound(self.client.transact_get_items().transact_items(get).send()).await {
            Err(elapsed) => unknown(elapsed.to_string()),
            Ok(Err(failed)) => unknown(errors::failed("looking for it", &failed).to_string()),
            Ok(Ok(found)) => {
                let found = found.responses.unwrap_or_default().into_iter().next().and_then(|response| response.item);
                match found {
                    Some(found) if write.is_own(Some(&found)) => Ok(Appended::Done(Receipt::new(write.event_id))),
                    Some(_) => Ok(Appended::Conflict),
                    None => Err(error),
                }
            }
        }
    }
}

impl Write {
    fn done(&self) -> Attempt {
        Attempt::Settled(Appended::Done(Receipt::new(self.event_id)))
    }

    /// Whether the item that stands in the event's place is the event: an earlier attempt had come through.
    fn is_own(&self, found: Option<&Item>) -> bool {
        found.is_some_and(|found| item::event_id(found).is_ok_and(|id| id == self.event_id))
    }

    /// What a cancelled transaction means. One failed condition decides; anything else may pass the next time.
    fn cancelled(&self, reasons: &[CancellationReason]) -> Result<Attempt> {
        let failed = |at: usize| reasons.get(at).filter(|reason| reason.code() == Some("ConditionalCheckFailed"));
        if failed(0).is_some_and(|reason| self.is_own(reason.item())) {
            return Ok(self.done());
        }
        if let Some(kept) = self.keep.and_then(failed).and_then(|reason| reason.item()) {
            return Ok(Attempt::Settled(Appended::Known(item::answer(kept)?)));
        }
        if (0..self.claims).any(|at| failed(at).is_some()) {
            return Ok(Attempt::Settled(Appended::Conflict));
        }
        if (self.claims..self.left).any(|at| failed(at).is_some()) {
            return Ok(Attempt::Settled(Appended::Taken));
        }
        if (self.left..self.puts.len()).any(|at| failed(at).is_some()) {
            return Ok(Attempt::NotHeld);
        }
        let codes: Vec<&str> =
            reasons.iter().filter_map(|reason| reason.code()).filter(|code| *code != "None").collect();
        let codes = codes.join(", ");
        match codes.contains("ValidationError") || codes.contains("ItemCollectionSizeLimitExceeded") {
            true => Ok(Attempt::Refused(Error::new(ErrorKind::Unusable, format!("{WHAT}: cancelled for {codes}")))),
            false => Ok(Attempt::Busy(busy(&codes))),
        }
    }
}

fn unsettled<E>(error: &Failed<E>) -> Attempt
where
    E: aws_sdk_dynamodb::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    let failed = errors::failed(WHAT, error);
    if error.raw_response().is_none() && errors::is_lost(error) {
        return Attempt::Silent(failed);
    }
    // A server that failed may have failed after its work was done, whatever it calls that.
    let server = error.raw_response().is_some_and(|response| response.status().is_server_error());
    match (errors::is_busy(error) && !server, errors::is_lost(error) || server) {
        // Our own earlier attempt is still being carried out.
        (true, _)
            if error.as_service_error().and_then(|error| error.code()) == Some("TransactionInProgressException") =>
        {
            Attempt::Lost(failed)
        }
        (true, _) => Attempt::Busy(failed),
        (_, true) => Attempt::Lost(failed),
        _ => Attempt::Refused(failed),
    }
}

fn busy(why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{WHAT}: the table was busy with {why}"))
}

/// One attempt a call.
fn once() -> aws_sdk_dynamodb::config::Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}
