//! Lists: which entries there are says the index, newest first over all partitions of the list; what they are, the
//! items themselves.
//!
//! The index is a moment behind the table, so a list may lack what was made just now. It never shows what is old, deleted
//! or has ended: every entry is read consistently and held against the filters once more.

use std::collections::{HashMap, VecDeque};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use cloud::sdk::ATTEMPTS;
use event::Timestamp;
use event::domain::{State, list_key, user};
use futures::future::try_join_all;

use super::item::{self, Item};
use super::store::DynamoStore;
use super::table::{FILTERS, ID, LIST, LISTS, PK, SK};
use super::{errors, keys, retry};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{self, EntityRef, EventStore, ListOf, ListQuery, Listed, Stored};

/// Most items in one call.
const BATCH: usize = 100;
/// How many times as many entries a partition is asked for, each time it is asked again for the same page.
const GROWTH: usize = 4;

/// One partition of a list, read from its newest entry on.
struct Shard {
    partition: String,
    /// Entries that were read and not yet taken.
    entries: VecDeque<Entry>,
    /// Where the next page begins; none before the first.
    start: Option<Item>,
    /// Whether there are no more pages.
    ended: bool,
}

/// An entry of the index: the entity's id, and the key of the item that it stands for.
struct Entry {
    id: String,
    pk: String,
    sk: String,
}

impl DynamoStore {
    pub(super) async fn list_page(&self, query: &ListQuery) -> Result<Vec<Listed>> {
        if let ListOf::States { kind, filters } = &query.of
            && let Some((field, value)) =
                filters.iter().find(|(field, _)| kind == user::ENTITY && *field == user::UNIQUE)
        {
            return self.list_owner(query, kind, filters, (field, value)).await;
        }
        let (list, filters) = match &query.of {
            ListOf::States { kind, filters } => (keys::states(&query.tenant, kind), filters.as_slice()),
            ListOf::Submissions { user_id } => (keys::submissions(&query.tenant, user_id), [].as_slice()),
        };
        let mut shards: Vec<Shard> = (0..keys::SHARDS).map(|n| Shard::new(keys::shard(&list, n))).collect();
        // A little more than a partition's share; rarely is one asked twice.
        let mut share = query.limit.div_ceil(3) + 4;
        let now = (self.system.now)();
        let mut page = Vec::new();
        let mut most = query.limit.min(BATCH);
        while page.len() < query.limit {
            let empty = shards.iter_mut().filter(|shard| shard.entries.is_empty() && !shard.ended);
            try_join_all(empty.map(|shard| self.fill(shard, query, filters, share))).await?;
            share = share.saturating_mul(GROWTH);
            let entries = take_newest(&mut shards, most);
            // Where some are passed over, a thousand may be: what has ended keeps its entry.
            most = BATCH;
            if entries.is_empty() && shards.iter().all(|shard| shard.ended) {
                break;
            }
            page.extend(self.show(entries, query, filters, now).await?);
        }
        page.truncate(query.limit);
        Ok(page)
    }

    /// The one entity that has a unique value, as its claim says: no index lags behind it.
    async fn list_owner(
        &self,
        query: &ListQuery,
        kind: &str,
        filters: &[(&'static str, String)],
        (field, value): (&str, &str),
    ) -> Result<Vec<Listed>> {
        let claim = self.get("reading a claim", keys::claim(&query.tenant, kind, field, value), keys::CLAIM).await?;
        let owner = claim.as_ref().and_then(|claim| item::string(claim, item::OWNER).ok());
        let Some(id) = owner.map(str::to_owned) else { return Ok(Vec::new()) };
        let entity = EntityRef { tenant: query.tenant.clone(), kind: kind.to_owned(), id };
        // It may have given the value up between the two reads, or have ended long ago.
        let is_listed = |stored: &Stored| stored.is_there(query.now) && matches(&stored.state, filters);
        let stored = self.load(&entity).await?.filter(is_listed);
        let listed = stored.map(|stored| Listed {
            key: list_key(kind, &entity.id, &stored.state),
            item: store::Item::State(stored.state),
        });
        let before = |listed: &Listed| query.before.as_ref().is_none_or(|before| listed.key < *before);
        Ok(listed.into_iter().filter(before).take(query.limit).collect())
    }

    /// Reads the next page of a partition; with filters it may have no entries though there are more.
    async fn fill(
        &self,
        shard: &mut Shard,
        query: &ListQuery,
        filters: &[(&'static str, String)],
        share: usize,
    ) -> Result<()> {
        let what = "reading a list";
        let mut call = self
            .client
            .query()
            .table_name(&self.settings.table)
            .index_name(LISTS)
            .scan_index_forward(false)
            .expression_attribute_names("#list", LIST)
            .expression_attribute_values(":list", item::text(&shard.partition))
            .limit(i32::try_from(share).unwrap_or(i32::MAX))
            .set_exclusive_start_key(shard.start.take());
        let mut condition = "#list = :list".to_owned();
        if let Some(before) = &query.before {
            condition.push_str(" and #id < :before");
            call =
                call.expression_attribute_names("#id", ID).expression_attribute_values(":before", item::text(before));
        }
        let mut tests = Vec::new();
        for (name, value) in filters.iter().filter(|(name, _)| FILTERS.contains(name)) {
            tests.push(format!("#{name} = :{name}"));
            call = call
                .expression_attribute_names(format!("#{name}"), *name)
                .expression_attribute_values(format!(":{name}"), item::text(value));
        }
        let filter = (!tests.is_empty()).then(|| tests.join(" and "));
        let call = call.key_condition_expression(condition).set_filter_expression(filter);
        let sent = self.deadline.bound(call.send()).await.map_err(|elapsed| errors::elapsed(what, elapsed))?;
        let answer = sent.map_err(|error| errors::failed(what, &error))?;
        shard.start = answer.last_evaluated_key;
        shard.ended = shard.start.is_none();
        shard.entries = answer.items.unwrap_or_default().iter().map(Entry::of).collect::<Result<_>>()?;
        Ok(())
    }

    /// What is listed of these entries, in their order.
    async fn show(
        &self,
        entries: Vec<Entry>,
        query: &ListQuery,
        filters: &[(&'static str, String)],
        now: Timestamp,
    ) -> Result<Vec<Listed>> {
        let mut items = self.read_items(&entries).await?;
        let mut listed = Vec::with_capacity(entries.len());
        for entry in entries {
            let found = items.remove(&(entry.pk, entry.sk.clone()));
            let Some(found) = found.filter(|found| !item::is_expired(found, now)) else { continue };
            if entry.sk != keys::STATE {
                let event = Box::new(item::event(&found)?);
                listed.push(Listed { key: entry.id, item: store::Item::Event(event) });
                continue;
            }
            let stored = item::stored(&found)?;
            if stored.is_there(query.now) && matches(&stored.state, filters) {
                listed.push(Listed { key: entry.id, item: store::Item::State(stored.state) });
            }
        }
        Ok(listed)
    }

    /// Reads items by their keys, at most [`BATCH`]; those that are gone are left out.
    async fn read_items(&self, entries: &[Entry]) -> Result<HashMap<(String, String), Item>> {
        let what = "reading a list's items";
        let mut found = HashMap::with_capacity(entries.len());
        let mut asked: Vec<Item> =
            entries.iter().map(|entry| item::keyed(entry.pk.clone(), entry.sk.clone())).collect();
        let mut failed = 0;
        while !asked.is_empty() {
            let keys = KeysAndAttributes::builder().set_keys(Some(asked.clone())).consistent_read(true).build();
            let keys = keys.map_err(|error| Error::new(ErrorKind::Unusable, what).with_source(error))?;
            let call = self.client.batch_get_item().request_items(&self.settings.table, keys);
            let sent = self.deadline.bound(call.send()).await.map_err(|elapsed| errors::elapsed(what, elapsed))?;
            let answer = sent.map_err(|error| errors::failed(what, &error))?;
            let items = answer.responses.into_iter().flat_map(HashMap::into_values).flatten();
            let before = found.len();
            for item in items {
                found.insert((item::string(&item, PK)?.to_owned(), item::string(&item, SK)?.to_owned()), item);
            }
            // A page of 16 MB at most: what did not fit, or was too much just now, is asked for again.
            asked =
                answer.unprocessed_keys.into_iter().flat_map(HashMap::into_values).flat_map(|keys| keys.keys).collect();
            if !asked.is_empty() && found.len() == before {
                if failed + 1 == ATTEMPTS {
                    return Err(Error::new(ErrorKind::Unavailable, format!("{what}: the table is busy")));
                }
                let pause = self.deadline.bound(retry::pause(failed, self.system.random)).await;
                pause.map_err(|elapsed| errors::elapsed(what, elapsed))?;
                failed += 1;
            }
        }
        Ok(found)
    }
}

/// Takes the newest entries of all partitions, as far as it is known which these are.
fn take_newest(shards: &mut [Shard], most: usize) -> Vec<Entry> {
    let mut taken = Vec::new();
    while taken.len() < most && shards.iter().all(|shard| shard.ended || !shard.entries.is_empty()) {
        let newest = shards.iter_mut().max_by(|a, b| a.newest().cmp(&b.newest()));
        let Some(entry) = newest.and_then(|shard| shard.entries.pop_front()) else { break };
        taken.push(entry);
    }
    taken
}

fn matches(state: &State, filters: &[(&'static str, String)]) -> bool {
    let fields: serde_json::Value = serde_json::from_str(state.as_str()).unwrap_or_default();
    filters.iter().all(|(name, value)| fields.get(name).and_then(serde_json::Value::as_str) == Some(value))
}

impl Shard {
    fn new(partition: String) -> Self {
        Self { partition, entries: VecDeque::new(), start: None, ended: false }
    }

    fn newest(&self) -> Option<&str> {
        self.entries.front().map(|entry| entry.id.as_str())
    }
}

impl Entry {
    fn of(item: &HashMap<String, AttributeValue>) -> Result<Self> {
        let part = |name| item::string(item, name).map(str::to_owned);
        Ok(Self { id: part(ID)?, pk: part(PK)?, sk: part(SK)? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use super::*;

    fn shards(contents: &[(&[&str], bool)]) -> Vec<Shard> {
        let entry = |id: &&str| Entry { id: (*id).to_owned(), pk: String::new(), sk: String::new() };
        let shard = |(ids, ended): &(&[&str], bool)| Shard {
            entries: ids.iter().map(entry).collect(),
            ended: *ended,
            ..Shard::new(String::new())
        };
        contents.iter().map(shard).collect()
    }

    fn taken(contents: &[(&[&str], bool)], most: usize) -> Vec<String> {
        take_newest(&mut shards(contents), most).into_iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn the_newest_of_all_partitions_come_first() {
        assert_eq!(taken(&[(&["d", "a"], true), (&["c", "b"], true), (&[], true)], 9), ["d", "c", "b", "a"]);
        assert_eq!(taken(&[(&["d", "a"], true), (&["c", "b"], true)], 3), ["d", "c", "b"]);
        assert!(taken(&[(&[], true)], 3).is_empty());
    }

    #[test]
    fn nothing_is_taken_while_a_partition_may_have_a_newer_one() {
        assert_eq!(taken(&[(&["d", "a"], false), (&["c"], false)], 9), ["d", "c"]);
        assert!(taken(&[(&["d"], true), (&[], false)], 9).is_empty());
    }
}
