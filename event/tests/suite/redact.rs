//! No secret that the mask list knows survives, and nothing else changes.

use std::sync::LazyLock;

use event::redact::{Encoding, Redactor, Rules};
use proptest::prelude::*;
use serde::de::IgnoredAny;

/// JSON and form keys of the mask list, as the contract has them.
const KEYS: [&str; 21] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "client_secret",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "api_key",
    "private_key",
    "authorization",
    "cookie",
    "session",
    "ssn",
    "card_number",
    "pan",
    "cvv",
    "cvc",
    "pin",
    "iban",
];
/// Query parameters of the mask list.
const QUERY: [&str; 13] = [
    "access_token",
    "id_token",
    "refresh_token",
    "token",
    "code",
    "api_key",
    "key",
    "sig",
    "signature",
    "password",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "X-Amz-Credential",
];
/// Secrets that are known by their shape.
const SHAPES: [&str; 12] = [
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQ==\n-----END PRIVATE KEY-----",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "glpat-0123456789abcdefghij",
    "xoxb-123456789012-abcdefghij",
    "sk_live_0123456789abcdefghij",
    "AIzaSyA-0123456789abcdefghijklmnopqrstu",
    "npm_0123456789abcdefghijABCDEFGHIJ0123",
    "4111111111111111",
    "5500-0000-0000-0004",
];

/// One for all: building it compiles the patterns.
fn redactor() -> &'static Redactor {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new([7; 32], Rules::default()).unwrap());
    &REDACTOR
}

/// A JSON text, and what redaction must make of it.
#[derive(Debug, Clone)]
struct Case {
    given: String,
    expect: String,
}

fn same(text: String) -> Case {
    Case { expect: text.clone(), given: text }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Spellings of a name that count as the same.
fn spelled() -> impl Strategy<Value = String> {
    (prop::sample::select(KEYS.to_vec()), 0..5_u8).prop_map(|(key, how)| match how {
        0 => key.to_owned(),
        1 => key.to_uppercase(),
        2 => key.replace('_', "-"),
        3 => key.replace('_', ""),
        _ => key.char_indices().map(|(at, c)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect(),
    })
}

/// A pair with a secret: a string, a number, or the secret somewhere within a container.
fn secret_pair() -> impl Strategy<Value = Case> {
    (spelled(), "S3CRET[a-z\"\\\\\u{e9}\u{2028}]{1,12}", 0..6_u8).prop_map(|(name, secret, how)| {
        let (raw, masked) = match how {
            0 => ("[1,{\"a\":@}]".to_owned(), None),
            1 => ("{ \"x\" : [@ ] }".to_owned(), None),
            2 => ("83530123".to_owned(), Some("83530123".to_owned())),
            _ => ("@".to_owned(), Some(secret.clone())),
        };
        let raw = raw.replace('@', &quoted(&secret));
        let mask = redactor().mask(&masked.unwrap_or(raw.clone()));
        // A name may be escaped; it means the same.
        let name = if how == 5 { format!("\"\\u{:04x}{}\"", name.as_bytes()[0], &name[1..]) } else { quoted(&name) };
        Case { given: format!("{name}: {raw}"), expect: format!("{name}: {}", quoted(&mask)) }
    })
}

fn leaf() -> impl Strategy<Value = Case> {
    let plain = prop_oneof![
        "[a-z \u{e9}\u{2028}\"\\\\]{0,12}".prop_map(|text| quoted(&text)),
        prop::sample::select(vec![
            "null",
            "true",
            "0",
            "-1.50",
            "1e400",
            "123456789012345678901234567890",
            "\"\\/\\u00e9\""
        ])
        .prop_map(str::to_owned),
    ];
    let shape = (prop::sample::select(SHAPES.to_vec()), "[a-z\u{e9}]{0,6}").prop_map(|(secret, before)| {
        let text = |secret: &str| quoted(&format!("{before} {secret} ."));
        Case { given: text(secret), expect: text(&redactor().mask(secret)) }
    });
    prop_oneof![4 => plain.prop_map(same), 1 => shape]
}

fn document() -> impl Strategy<Value = Case> {
    leaf().prop_recursive(5, 40, 5, |inner| {
        let joined = |open: &str, parts: Vec<Case>, close: &str| {
            let join = |part: fn(&Case) -> &str| {
                format!("{open}{}{close}", parts.iter().map(part).collect::<Vec<_>>().join(" ,"))
            };
            Case { given: join(|case| &case.given), expect: join(|case| &case.expect) }
        };
        let pair = ("k[a-z\"\u{e9}]{0,6}", inner.clone()).prop_map(|(name, case)| Case {
            given: format!("{}:\t{}", quoted(&name), case.given),
            expect: format!("{}:\t{}", quoted(&name), case.expect),
        });
        let pairs = prop::collection::vec(prop_oneof![2 => pair, 1 => secret_pair()], 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(move |parts| joined("[", parts, " ]")),
            pairs.prop_map(move |parts| joined("{ ", parts, "}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn json_loses_its_secrets_and_nothing_else(case in document()) {
        let redactor = redactor();
        let body = redactor.body(None, case.given.as_bytes());
        prop_assert_eq!(body.encoding, Encoding::Json);
        let masked = body.text.unwrap();
        prop_assert_eq!(&masked, &case.expect);
        prop_assert!(serde_json::from_str::<IgnoredAny>(&masked).is_ok());
        prop_assert!(!masked.contains("S3CRET"));
        prop_assert_eq!(redactor.body(None, masked.as_bytes()).text, Some(masked));
    }

    #[test]
    fn json_that_breaks_off_keeps_no_secret(case in document(), at in any::<prop::sample::Index>()) {
        let end = case.given.floor_char_boundary(at.index(case.given.len() + 1));
        let body = redactor().body(Some("application/json"), &case.given.as_bytes()[..end]);
        prop_assert!(!body.text.unwrap_or_default().contains("S3CRET"));
    }

    #[test]
    fn queries_and_forms(
        name in prop::sample::select(QUERY.to_vec()), key in spelled(), secret in "S3CRET[a-z&=%+\u{e9}]{0,8}", other in "k[a-z]{0,5}",
    ) {
        let redactor = redactor();
        let pairs = |name: &str| {
            form_urlencoded::Serializer::new(String::new()).append_pair(&other, "v w").append_pair(name, &secret).finish()
        };
        for query in [pairs(name), pairs(&name.to_uppercase()), pairs(&key)] {
            let masked = redactor.query(&query).unwrap();
            prop_assert!(!masked.contains("S3CRET") && masked.contains(&redactor.mask(&secret)), "{}", masked);
            prop_assert_eq!(redactor.query(&masked), Some(masked.clone()));
        }
        let form = redactor.body(Some("application/x-www-form-urlencoded"), pairs(&key).as_bytes());
        prop_assert!(!form.text.unwrap().contains("S3CRET"));
    }

    #[test]
    fn shapes_in_any_text(secret in prop::sample::select(SHAPES.to_vec()), before in "[^a-zA-Z0-9_:/=<.-]{0,8}", after in "[ ,;)\u{e9}]{1,8}") {
        let masked = redactor().text(&format!("{before} {secret}{after}")).into_owned();
        prop_assert!(!masked.contains(secret), "{}", masked);
        prop_assert!(masked.contains(&redactor().mask(secret)), "{}", masked);
    }

    #[test]
    fn arbitrary_bytes_have_a_body(bytes in prop::collection::vec(any::<u8>(), 0..300), form in any::<bool>()) {
        let redactor = redactor();
        let kind = form.then_some("application/x-www-form-urlencoded");
        let body = redactor.body(kind, &bytes);
        prop_assert_eq!(body.text.is_none(), matches!(body.encoding, Encoding::None | Encoding::Omitted));
        let text = String::from_utf8_lossy(&bytes);
        let _ = (redactor.query(&text), redactor.text(&text).len(), redactor.value(&text).len());
        let _ = redactor.headers([("referer", bytes.as_slice()), ("accept", bytes.as_slice())]);
    }

    /// Fragments that mean something to the patterns, in any order.
    #[test]
    fn scraps_of_secrets_never_panic(scraps in prop::collection::vec(prop::sample::select(vec![
        "password", "pin", "=", ":", "\"", "'", " ", "\\", "{", "}", "[", "]", ",", "://", "a", "é", "@", "<pin>", "</pin>", "[redacted:",
        "01234567", "]", "-----BEGIN A-----", "-----END A-----", "eyJ", ".", "\0", "\r\n", "\\ud800", "\\u00", "4111111111111111", "; name=\"pwd\"",
    ]), 0..24)) {
        let redactor = redactor();
        let text = scraps.concat();
        let once = redactor.body(None, text.as_bytes()).text;
        let _ = once.map(|once| redactor.body(None, once.as_bytes()));
        let _ = redactor.query(&text);
    }
}

#[test]
fn every_key_is_masked_in_every_kind_of_text() {
    let redactor = redactor();
    let mask = redactor.mask("hunter2");
    for key in KEYS {
        for text in [
            format!("{key}=hunter2"),
            format!("\"{key}\": \"hunter2\" and more"),
            format!("a&{key}=hunter2&b"),
            format!("<{key}>hunter2</{key}>"),
            format!("Content-Disposition: form-data; name=\"{key}\"\r\n\r\nhunter2\r\n--x"),
        ] {
            let masked = redactor.text(&text);
            assert!(!masked.contains("hunter2") && masked.contains(&mask), "{text} became {masked}");
        }
    }
}

#[test]
fn equal_secrets_have_equal_masks_under_one_key_only() {
    let other = Redactor::new([8; 32], Rules::default()).unwrap();
    assert_eq!(redactor().mask("a"), redactor().mask("a"));
    assert_ne!(redactor().mask("a"), redactor().mask("b"));
    assert_ne!(redactor().mask("a"), other.mask("a"));
}

#[test]
fn own_names_and_headers_can_be_added() {
    let rules = Rules::default().with_keys(["Geheim".to_owned()]).with_headers(["X-Mine".to_owned()]);
    let redactor = Redactor::new([7; 32], rules).unwrap();
    let mask = redactor.mask("x1");
    assert_eq!(redactor.body(None, br#"{"geheim":"x1"}"#).text, Some(format!(r#"{{"geheim":"{mask}"}}"#)));
    assert_eq!(redactor.query("GEHEIM=x1"), Some(format!("GEHEIM={mask}")));
    assert_eq!(redactor.headers([("x-mine", b"1".as_slice())]), Some(r#"{"x-mine":["1"]}"#.to_owned()));
    assert!(Redactor::new([7; 32], Rules::default().with_keys(["_-".to_owned()])).is_err());
}
