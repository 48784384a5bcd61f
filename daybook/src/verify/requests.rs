//! No two events of this server are about the same request (I6).

use std::path::Path;
use std::sync::Arc;

use event::EventId;
use sha2::{Digest, Sha256};

use super::buckets::{Buckets, each_part};
use super::record::{Reader, put, put_text};
use crate::failure::Result;

/// The requests whose ids are other than their events'; those that have their event's id are told apart by that.
///
/// Memory: as [`Buckets`].
pub struct Requests(Buckets);

/// A request that two events are about, and the later of these.
pub type Shared = (EventId, String);

/// A request by the first half of its id's SHA-256, its event, its id.
type Known<'a> = (u128, EventId, &'a str);

impl Requests {
    /// None yet; what does not fit in memory goes to `folder`.
    pub fn new(folder: &Path) -> Self {
        Self(Buckets::new(folder))
    }

    /// Adds the request that an event is about.
    ///
    /// # Errors
    /// Those of [`Buckets::push`].
    pub fn add(&mut self, id: EventId, request: &str) -> Result<()> {
        let mut key = [0; 16];
        key.copy_from_slice(&Sha256::digest(request)[..16]);
        let key = u128::from_be_bytes(key);
        let mut record = Vec::with_capacity(80);
        put(&mut record, key.to_le_bytes());
        put(&mut record, *id.as_bytes());
        put_text(&mut record, Some(request));
        self.0.push(key as u64, &record)
    }

    /// The first event, in the order of ids, whose request has an earlier one.
    ///
    /// # Errors
    /// What was set aside cannot be read.
    pub async fn find_shared(self) -> Result<Option<Shared>> {
        let buckets = Arc::new(self.0);
        let parts = each_part(move |part| shared(&buckets.part(part)?)).await?;
        Ok(parts.into_iter().flatten().min())
    }
}

fn shared(records: &[u8]) -> Result<Option<Shared>> {
    let (mut known, mut reader) = (Vec::<Known<'_>>::new(), Reader::of(records));
    while !reader.is_empty() {
        known.push((u128::from_le_bytes(reader.take()?), EventId::from_bytes(reader.take()?), reader.some_text()?));
    }
    known.sort_unstable();
    // An event that stands twice is another fault, with a name of its own.
    let is_shared = |pair: &&[Known<'_>]| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1;
    let later = known.windows(2).filter(is_shared).map(|pair| (pair[1].1, pair[1].2));
    Ok(later.min().map(|(id, request)| (id, request.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_later_event_of_a_request_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let check = async |events: &[(u128, &str)], expect: Option<(u128, &str)>| {
            let mut requests = Requests::new(folder.path());
            for (id, request) in events {
                requests.add(EventId::from_u128(*id), request).unwrap();
            }
            let expect = expect.map(|(id, request)| (EventId::from_u128(id), request.to_owned()));
            assert_eq!(requests.find_shared().await.unwrap(), expect, "{events:?}");
        };
        check(&[], None).await;
        check(&[(1, "a"), (2, "b"), (3, "")], None).await;
        check(&[(1, "a"), (1, "a")], None).await;
        check(&[(9, "a"), (1, "b"), (4, "a"), (7, "b"), (8, "b")], Some((7, "b"))).await;
    }
}
