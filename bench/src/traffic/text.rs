//! Words and bodies, as varied as clients send them.

use std::fmt::Write;

use super::random::{Random, Zipf};

/// The commonest first, as Zipf has it. Some hold what JSON must escape, some are not ASCII.
const WORDS: &[&str] = &[
    "the",
    "order",
    "to",
    "of",
    "and",
    "please",
    "customer",
    "is",
    "for",
    "was",
    "delivery",
    "invoice",
    "with",
    "not",
    "on",
    "address",
    "has",
    "been",
    "from",
    "we",
    "payment",
    "at",
    "this",
    "return",
    "by",
    "a",
    "after",
    "account",
    "team",
    "number",
    "it",
    "before",
    "shipped",
    "warehouse",
    "monday",
    "open",
    "ticket",
    "check",
    "update",
    "again",
    "their",
    "parcel",
    "in",
    "request",
    "item",
    "refund",
    "call",
    "late",
    "label",
    "changed",
    "new",
    "contract",
    "friday",
    "status",
    "office",
    "missing",
    "e-mail",
    "phone",
    "second",
    "today",
    "price",
    "which",
    "received",
    "sent",
    "quality",
    "offer",
    "supplier",
    "damaged",
    "report",
    "store",
    "box",
    "Straße",
    "confirm",
    "meeting",
    "wrong",
    "signature",
    "project",
    "review",
    "carrier",
    "document",
    "weight",
    "page",
    "because",
    "colour",
    "yesterday",
    "quantity",
    "voucher",
    "branch",
    "until",
    "café",
    "model",
    "urgent",
    "internal",
    "feedback",
    "manager",
    "charged",
    "\"as is\"",
    "replacement",
    "production",
    "complaint",
    "schedule",
    "discount",
    "reference",
    "region",
    "printed",
    "pickup",
    "balance",
    "São Paulo",
    "battery",
    "cancelled",
    "deposit",
    "escalated",
    "fragile",
    "garage",
    "holiday",
    "insured",
    "journey",
    "kitchen",
    "ladder",
    "München",
    "notified",
    "overdue",
    "pallet",
    "queue",
    "receipt",
    "sample",
    "terminal",
    "unpaid",
    "visit",
    "warranty",
    "C:\\orders\\in",
    "yearly",
    "zone",
    "agreement",
    "barcode",
    "customs",
    "départ",
    "exchange",
    "freight",
    "guarantee",
    "handling",
    "inspection",
    "junction",
    "keyboard",
    "logistics",
    "東京",
    "measured",
    "negotiated",
    "opening",
    "postponed",
    "quarterly",
    "rejected",
    "subscription",
    "tracking",
    "upgrade",
    "verified",
    "workshop",
    "✓",
    "attachment",
    "backorder",
    "courier",
    "dispatch",
    "😀",
    "forwarded",
];

/// Writes bodies: JSON as a person, a shop, a sensor or another service would send it.
#[derive(Debug)]
pub struct Author {
    words: Zipf,
}

impl Author {
    pub fn new() -> Self {
        Self { words: Zipf::new(WORDS.len() as u64) }
    }

    /// A text of so many words, with a line feed now and then.
    pub fn text(&self, random: &mut Random, words: u64) -> String {
        let mut text = String::with_capacity(words as usize * 7);
        for number in 0..words {
            if number > 0 {
                text.push(if random.once_in(40) { '\n' } else { ' ' });
            }
            text.push_str(WORDS[self.words.draw(random)]);
        }
        text
    }

    /// The body of a submission. A client that writes ASCII only escapes everything else.
    pub fn submission(&self, random: &mut Random, user: &str) -> String {
        let body = match random.below(10) {
            0..=3 => self.message(random, user),
            4..=6 => self.order(random, user),
            7..=8 => self.readings(random, user),
            _ => self.notice(random, user),
        };
        if random.once_in(3) { ascii(&body) } else { body }
    }

    fn message(&self, random: &mut Random, user: &str) -> String {
        let words = if random.once_in(12) { 80 + random.below(200) } else { 4 + random.below(40) };
        let message = json(&self.text(random, words));
        let (spam, stars, ticket) = (random.once_in(9), random.below(6), random.below(1 << 24));
        format!(
            r#"{{"user_id":"{user}","message":{message},"ticket":"T-{ticket:07}","stars":{stars},"spam":{spam},"answer":null}}"#
        )
    }

    fn order(&self, random: &mut Random, user: &str) -> String {
        let mut items = String::new();
        for number in 0..1 + random.below(5) {
            let comma = if number == 0 { "" } else { ", " };
            let (sku, count, cents) = (random.below(90_000), 1 + random.below(9), 99 + random.below(40_000));
            let name = json(&self.text(random, 2));
            let (euros, cents) = (cents / 100, cents % 100);
            // Writing to memory cannot fail.
            let _ = write!(
                items,
                r#"{comma}{{"sku": "A-{sku:05}", "name": {name}, "count": {count}, "price": {euros}.{cents:02}}}"#
            );
        }
        let (message, street) = (json(&self.text(random, 6)), json(&self.text(random, 2)));
        let (house, zip, id) = (1 + random.below(200), random.below(99_999), random.uuid());
        format!(
            r#"{{"user_id": "{user}", "message": {message}, "order": {{"id": "{id}", "items": [{items}], "ship_to": {{"street": {street}, "house": {house}, "zip": "{zip:05}", "country": "DE"}}}}, "gift": false}}"#
        )
    }

    fn readings(&self, random: &mut Random, user: &str) -> String {
        let values: Vec<String> =
            (0..8 + random.below(40)).map(|_| format!("{}.{:02}", 15 + random.below(14), random.below(100))).collect();
        let (device, sequence) = (random.below(4_000), random.below(1 << 32));
        format!(
            r#"{{"userId":"{user}","message":"readings","device":"sensor-{device:04}","sequence":{sequence},"celsius":[{}],"battery":0.{:02}}}"#,
            values.join(","),
            random.below(100)
        )
    }

    fn notice(&self, random: &mut Random, user: &str) -> String {
        let (subject, id, number) = (json(&self.text(random, 5)), random.hex(), random.below(100_000));
        let comment = json(&self.text(random, 20));
        format!(
            "{{\n  \"user_id\": \"{user}\",\n  \"message\": {subject},\n  \"hook\": {{\n    \"action\": \"opened\",\n    \"id\": \"{id}\",\n    \"url\": \"https:\\/\\/git.example.com\\/shop\\/pulls\\/{number}\",\n    \"comment\": {comment},\n    \"labels\": [\"bug\", \"triage\"],\n    \"changed\": {{\"added\": {}, \"removed\": {}}}\n  }}\n}}",
            random.below(900),
            random.below(300)
        )
    }
}

/// A text as JSON.
pub fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to memory cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}
