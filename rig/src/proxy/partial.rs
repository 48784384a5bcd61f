//! Calls of which a service takes some records and refuses others, with 200: Firehose's `PutRecordBatch`, EventBridge's
//! `PutEvents`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::operation::Service;
use crate::plan::Fault;

/// Which records of a call are refused, and in what words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Record `i` is refused if bit `i % 64` is set.
    mask: u64,
    records: &'static str,
    answers: &'static str,
    count: &'static str,
    code: &'static str,
}

impl Part {
    /// What a fault is to a call of a service; none if it refuses no part of it.
    pub fn of(fault: Fault, service: Service) -> Option<Self> {
        let (mask, is_for_ever) = match fault {
            Fault::PartialPut(mask) => (mask, false),
            Fault::RefusePart(mask) => (mask, true),
            _ => return None,
        };
        Some(match service {
            Service::EventBridge => Self {
                mask,
                records: "Entries",
                answers: "Entries",
                count: "FailedEntryCount",
                code: if is_for_ever { "MalformedDetail" } else { "ThrottlingException" },
            },
            _ => Self {
                mask,
                records: "Records",
                answers: "RequestResponses",
                count: "FailedPutCount",
                code: "ServiceUnavailableException",
            },
        })
    }

    /// The same request with the records that do not fail, or none if all of them do.
    pub fn taken(self, request: &[u8]) -> Option<Bytes> {
        let mut request: Value = serde_json::from_slice(request).ok()?;
        let records = request.get_mut(self.records)?.as_array_mut()?;
        let mut index = 0..;
        records.retain(|_| !index.next().is_some_and(|index| self.fails(index)));
        (!records.is_empty()).then(|| request.to_string().into())
    }

    /// The answer to the whole request, made from the answer to the records that were taken.
    pub fn answer(self, request: &[u8], taken: Option<&[u8]>) -> Option<Value> {
        let request: Value = serde_json::from_slice(request).ok()?;
        let taken: Value = taken.map_or(Some(Value::Null), |taken| serde_json::from_slice(taken).ok())?;
        let mut taken = taken[self.answers].as_array().cloned().unwrap_or_default().into_iter();
        let count = request[self.records].as_array()?.len();
        let refused = json!({ "ErrorCode": self.code, "ErrorMessage": "made to fail" });
        let answers: Option<Vec<Value>> =
            (0..count).map(|index| if self.fails(index) { Some(refused.clone()) } else { taken.next() }).collect();
        let failed = (0..count).filter(|index| self.fails(*index)).count();
        Some(json!({ self.count: failed, self.answers: answers? }))
    }

    fn fails(self, index: usize) -> bool {
        self.mask >> (index % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(mask: u64) -> Part {
        Part::of(Fault::PartialPut(mask), Service::Firehose).unwrap()
    }

    #[test]
    fn answers_stand_in_the_order_of_the_records() {
        let request = br#"{"DeliveryStreamName":"s","Records":[{"Data":"YQ=="},{"Data":"Yg=="},{"Data":"Yw=="}]}"#;
        let forwarded: Value = serde_json::from_slice(&part(0b010).taken(request).unwrap()).unwrap();
        assert_eq!(forwarded["Records"], json!([{"Data": "YQ=="}, {"Data": "Yw=="}]));
        let upstream = br#"{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"},{"RecordId":"3"}]}"#;
        let answer = part(0b010).answer(request, Some(upstream)).unwrap();
        assert_eq!(answer["FailedPutCount"], 1);
        assert_eq!(answer["RequestResponses"][0]["RecordId"], "1");
        assert_eq!(answer["RequestResponses"][1]["ErrorCode"], "ServiceUnavailableException");
        assert_eq!(answer["RequestResponses"][2]["RecordId"], "3");
    }

    #[test]
    fn where_all_fail_nothing_is_forwarded() {
        let request = br#"{"Records":[{"Data":"YQ=="}]}"#;
        assert_eq!(part(1).taken(request), None);
        assert_eq!(part(1).answer(request, None).unwrap()["FailedPutCount"], 1);
    }

    #[test]
    fn a_bus_refuses_in_its_own_words() {
        let request = br#"{"Entries":[{"Source":"a"},{"Source":"b"}]}"#;
        let check = |fault, code: &str| {
            let part = Part::of(fault, Service::EventBridge).unwrap();
            assert_eq!(part.taken(request).unwrap(), r#"{"Entries":[{"Source":"b"}]}"#);
            let answer = part.answer(request, Some(br#"{"FailedEntryCount":0,"Entries":[{"EventId":"2"}]}"#)).unwrap();
            assert_eq!((&answer["FailedEntryCount"], &answer["Entries"][1]["EventId"]), (&json!(1), &json!("2")));
            assert_eq!(answer["Entries"][0]["ErrorCode"], code);
        };
        check(Fault::PartialPut(1), "ThrottlingException");
        check(Fault::RefusePart(1), "MalformedDetail");
    }
}
