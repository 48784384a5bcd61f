//! `PutRecordBatch` of which Firehose takes some records and refuses others: 200, with `FailedPutCount`.

use bytes::Bytes;
use serde_json::{Value, json};

/// The same request with the records that do not fail, or none if all of them do.
pub(super) fn taken(request: &[u8], mask: u64) -> Option<Bytes> {
    let mut request: Value = serde_json::from_slice(request).ok()?;
    let records = request.get_mut("Records")?.as_array_mut()?;
    let mut index = 0..;
    records.retain(|_| !index.next().is_some_and(|index| fails(mask, index)));
    (!records.is_empty()).then(|| request.to_string().into())
}

/// The answer to the whole request, made from the answer to the records that were taken.
pub(super) fn answer(request: &[u8], taken: Option<&[u8]>, mask: u64) -> Option<Value> {
    let request: Value = serde_json::from_slice(request).ok()?;
    let taken: Value = taken.map_or(Some(Value::Null), |taken| serde_json::from_slice(taken).ok())?;
    let mut taken = taken["RequestResponses"].as_array().cloned().unwrap_or_default().into_iter();
    let count = request["Records"].as_array()?.len();
    let refused = json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down." });
    let responses: Option<Vec<Value>> =
        (0..count).map(|index| if fails(mask, index) { Some(refused.clone()) } else { taken.next() }).collect();
    let failed = (0..count).filter(|index| fails(mask, *index)).count();
    Some(json!({ "FailedPutCount": failed, "Encrypted": false, "RequestResponses": responses? }))
}

fn fails(mask: u64, index: usize) -> bool {
    mask >> (index % 64) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stand_in_the_order_of_the_records() {
        let request = br#"{"DeliveryStreamName":"s","Records":[{"Data":"YQ=="},{"Data":"Yg=="},{"Data":"Yw=="}]}"#;
        let forwarded: Value = serde_json::from_slice(&taken(request, 0b010).unwrap()).unwrap();
        assert_eq!(forwarded["Records"], json!([{"Data": "YQ=="}, {"Data": "Yw=="}]));
        let upstream = br#"{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"},{"RecordId":"3"}]}"#;
        let answer = answer(request, Some(upstream), 0b010).unwrap();
        assert_eq!(answer["FailedPutCount"], 1);
        assert_eq!(answer["RequestResponses"][0]["RecordId"], "1");
        assert_eq!(answer["RequestResponses"][1]["ErrorCode"], "ServiceUnavailableException");
        assert_eq!(answer["RequestResponses"][2]["RecordId"], "3");
    }

    #[test]
    fn where_all_fail_nothing_is_forwarded() {
        let request = br#"{"Records":[{"Data":"YQ=="}]}"#;
        assert_eq!(taken(request, 1), None);
        assert_eq!(answer(request, None, 1).unwrap()["FailedPutCount"], 1);
    }
}
