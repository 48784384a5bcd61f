//! The usual road of events that change nothing: a Firehose stream, which writes them to S3 in a minute or so.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_firehose::Client;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record as Sent;
use cloud::Deadline;
use cloud::sdk::ATTEMPTS;
use event::Sealed;

use super::pack::{self, Record};
use super::{errors, retry};
use crate::error::{Error, ErrorKind, Result};
use crate::receipt::Receipt;
use crate::store::EventSink;
use crate::system::System;

/// Lines into a Firehose stream, packed.
#[derive(Debug, Clone)]
pub struct FirehoseLines {
    client: Client,
    stream: String,
    system: System,
    deadline: Deadline,
}

impl FirehoseLines {
    /// Lines into the delivery stream of this name.
    pub fn new(client: Client, stream: impl Into<String>, system: System, deadline: Deadline) -> Self {
        Self { client, stream: stream.into(), system, deadline }
    }

    /// Hands the lines over, none of them with a line feed; when it returns, Firehose has them all.
    ///
    /// What Firehose refuses of a call is sent again, and nothing else of it, three times in all. Lines may then stand
    /// in another order, and after a lost answer twice: readers go by event id.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge): a line is larger than a record can be; nothing was sent.
    /// Any other: some of the lines may have been taken.
    pub async fn put<L: AsRef<[u8]>>(&self, lines: impl IntoIterator<Item = L>) -> Result<()> {
        let records = pack::records(lines).map_err(|index| {
            Error::new(ErrorKind::TooLarge, format!("line {index} is larger than a Firehose record can be"))
        })?;
        for call in pack::calls(records) {
            self.put_call(call).await?;
        }
        Ok(())
    }

    async fn put_call(&self, mut records: Vec<Record>) -> Result<()> {
        let mut failed = 0;
        loop {
            let refused = self.send(&records).await?;
            let Some(reason) = refused.values().next() else { return Ok(()) };
            let what = format!("putting {} records to {}: {} refused", records.len(), self.stream, refused.len());
            failed += 1;
            if failed == ATTEMPTS {
                return Err(Error::new(ErrorKind::Unavailable, format!("{what}, such as for {reason}")));
            }
            let pause = self.deadline.bound(retry::pause(failed - 1, self.system.random)).await;
            pause.map_err(|elapsed| errors::elapsed(&what, elapsed))?;
            let numbered = records.into_iter().enumerate();
            records = numbered.filter(|(index, _)| refused.contains_key(index)).map(|(_, record)| record).collect();
        }
    }

    /// Sends records once; gives the indices of those that were refused, and why.
    async fn send(&self, records: &[Record]) -> Result<BTreeMap<usize, String>> {
        let what = || format!("putting {} records to {}", records.len(), self.stream);
        let mut call = self.client.put_record_batch().delivery_stream_name(&self.stream);
        for record in records {
            let sent = Sent::builder().data(Blob::new(record.text.clone())).build();
            call = call.records(sent.map_err(|error| Error::new(ErrorKind::Unavailable, what()).with_source(error))?);
        }
        let answer = self.deadline.bound(call.send()).await.map_err(|elapsed| errors::elapsed(&what(), elapsed))?;
        let answer = answer.map_err(|error| errors::failed(&what(), &error))?;
        let answers = answer.request_responses();
        if answer.failed_put_count() == 0 {
            return Ok(BTreeMap::new());
        }
        let refused = answers.iter().enumerate().filter_map(|(index, of)| Some((index, of.error_code()?.to_owned())));
        let refused: BTreeMap<_, _> = refused.collect();
        match refused.is_empty() {
            true => Err(Error::new(ErrorKind::Unavailable, format!("{}: some were refused, not said which", what()))),
            false => Ok(refused),
        }
    }
}

/// The sink on a Firehose stream.
#[derive(Debug, Clone)]
pub struct FirehoseSink {
    lines: FirehoseLines,
}

impl FirehoseSink {
    /// The sink on these lines.
    pub fn new(lines: FirehoseLines) -> Self {
        Self { lines }
    }
}

#[async_trait]
impl EventSink for FirehoseSink {
    async fn put(&self, events: Vec<Sealed>) -> Result<Vec<Receipt>> {
        self.lines.put(events.iter().map(Sealed::line)).await?;
        Ok(events.iter().map(|event| Receipt::new(event.event_id)).collect())
    }
}
