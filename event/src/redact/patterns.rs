//! Secrets that are known by their own shape, and `name=value` pairs in text that has no other structure.

use std::borrow::Cow;

use regex::{Captures, Regex};

use super::{Redactor, is_mask};

/// Shapes of secrets. Each names its group; `(?-u:\b)` keeps the fast engine on text that is not ASCII.
const SHAPES: &[(&str, &str)] = &[
    ("jwt", r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    ("pem", r"-----BEGIN [A-Z0-9 ]+-----(?s:.)*?(?:-----END [A-Z0-9 ]+-----|\z)"),
    ("daybook", r"(?-u:\b)dbk_[A-Za-z0-9.-]{1,64}_[0-9a-f]{48}"),
    ("aws_id", r"(?-u:\b)(?:AKIA|ASIA)[A-Z0-9]{16}(?-u:\b)"),
    ("aws_secret", r#"(?i:aws[a-z_\- ]{0,24}(?:secret|key)[a-z_\- ]{0,12}["']?\s*[:=]\s*["']?)[A-Za-z0-9/+]{40}"#),
    ("github", r"(?-u:\b)(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("gitlab", r"(?-u:\b)glpat-[A-Za-z0-9_-]{16,}"),
    ("slack", r"(?-u:\b)xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("stripe", r"(?-u:\b)(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}"),
    ("openai", r"(?-u:\b)sk-[A-Za-z0-9_-]{20,}"),
    ("google", r"(?-u:\b)(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,})"),
    ("npm", r"(?-u:\b)(?:npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,})"),
    ("sendgrid", r"(?-u:\b)SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("shopify", r"(?-u:\b)(?:shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|dop_v1_[a-f0-9]{64})"),
    ("url", r#"(?-u:\b)[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/?#@"']{0,256}:[^\s/@"']{1,256}@"#),
    ("card", r"(?-u:\b)[2-6](?:[ -]?[0-9]){12,18}(?-u:\b)"),
];

/// The shortest text that any of the shapes matches: `ab://:c@`.
const SHORTEST: usize = 8;

pub(super) fn values() -> Result<Regex, String> {
    let alternatives: Vec<String> = SHAPES.iter().map(|(name, shape)| format!("(?P<{name}>{shape})")).collect();
    Regex::new(&alternatives.join("|")).map_err(|error| error.to_string())
}

/// Names of the mask list before a value, in text that is neither JSON nor a form: `"password": "…"`, `password=…`,
/// `<password>…<`, and the part of a multipart form that is called so.
pub(super) fn pairs(names: &[String]) -> Result<Regex, String> {
    let names: Vec<String> = names.iter().map(|name| spelled(name)).collect();
    let names = names.join("|");
    let mask = r"\[redacted:[0-9a-f]{8}\]";
    let pair = format!(
        r#"(?P<name>(?-u:\b)(?:{names})["']?\s*[:=]\s*)(?P<value>"(?:[^"\\]|\\.)*"?|'[^']*'?|{mask}|[^\s"',;&}}\]]+)"#
    );
    let element = format!(r"(?P<tag><(?:[\w.-]+:)?(?:{names})(?:\s[^<>]*)?>)(?P<content>[^<]+)");
    let part = format!(
        r#"(?P<head>;\s*name="?(?:{names})"?(?:;[^\r\n]*)?\r?\n(?:[^\r\n]+\r?\n)*\r?\n)(?P<part>(?s:.)*?)(?P<tail>\r?\n--|\z)"#
    );
    Regex::new(&format!("(?i){pair}|{element}|{part}")).map_err(|error| error.to_string())
}

/// A pattern for the name with or without `_` and `-` between its words.
fn spelled(name: &str) -> String {
    let words: Vec<String> = name.split(['_', '-']).filter(|word| !word.is_empty()).map(regex::escape).collect();
    words.join("[_-]?")
}

pub(super) fn mask_values<'a>(redactor: &Redactor, text: &'a str) -> Cow<'a, str> {
    if text.len() < SHORTEST {
        return Cow::Borrowed(text);
    }
    redactor.values.replace_all(text, |found: &Captures<'_>| {
        let (start, whole) = found.get(0).map_or((0, ""), |group| (group.start(), group.as_str()));
        if found.name("card").is_some() && (!is_card_number(whole) || begins_uuid(&text[start..])) {
            return whole.to_owned();
        }
        let kept = if found.name("url").is_some() {
            whole.find("://").map_or(0, |at| at + 3)
        } else if found.name("aws_secret").is_some() {
            whole.len() - 40
        } else {
            0
        };
        let end = if found.name("url").is_some() { whole.len() - 1 } else { whole.len() };
        format!("{}{}{}", &whole[..kept], redactor.mask(&whole[kept..end]), &whole[end..])
    })
}

pub(super) fn mask_pairs<'a>(redactor: &Redactor, text: &'a str) -> Cow<'a, str> {
    // Each pattern has one of these between name and value.
    if !text.bytes().any(|byte| matches!(byte, b':' | b'=' | b'>')) {
        return Cow::Borrowed(text);
    }
    redactor.pairs.replace_all(text, |found: &Captures<'_>| {
        let group = |name| found.name(name).map_or("", |group| group.as_str());
        let (before, after) = (format!("{}{}{}", group("name"), group("tag"), group("head")), group("tail"));
        let value = [group("value").trim_matches(['"', '\'']), group("content"), group("part")].concat();
        if value.trim().is_empty() || is_mask(&value) {
            return found[0].to_owned();
        }
        format!("{before}{}{after}", redactor.mask(&value))
    })
}

/// Whether the text begins with a UUID: sixteen of its digits may well look like a card number.
fn begins_uuid(text: &str) -> bool {
    text.get(..36).is_some_and(|start| uuid::Uuid::try_parse(start).is_ok())
}

/// Whether the digits are a payment card's: 13 to 19 of them, an issuer's prefix, a valid check digit (Luhn).
fn is_card_number(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let prefix = |n: usize| digits.iter().take(n).fold(0, |value, digit| value * 10 + digit);
    let issued = matches!(prefix(1), 4)
        || matches!(prefix(2), 34 | 36..=39 | 50..=69)
        || matches!(prefix(3), 300..=305)
        || matches!(prefix(4), 2221..=2720 | 3528..=3589);
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    (13..=19).contains(&digits.len()) && issued && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use crate::redact::for_tests;

    #[track_caller]
    fn masked(text: &str, secret: &str) {
        let redactor = for_tests();
        let result = redactor.text(text);
        assert!(!result.contains(secret), "{result}");
        assert_eq!(result, text.replace(secret, &redactor.mask(secret)));
    }

    #[test]
    fn shapes_of_secrets() {
        masked(
            "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_ there",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_",
        );
        masked(
            "x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- y",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        );
        masked(
            "x dbk_web-1_0123456789abcdef0123456789abcdef0123456789abcdef y",
            "dbk_web-1_0123456789abcdef0123456789abcdef0123456789abcdef",
        );
        masked("id AKIAIOSFODNN7EXAMPLE.", "AKIAIOSFODNN7EXAMPLE");
        masked(
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        );
        masked("ghp_0123456789abcdefghijABCDEFGHIJ012345", "ghp_0123456789abcdefghijABCDEFGHIJ012345");
        masked("tok xoxb-123456789012-abcdefghij", "xoxb-123456789012-abcdefghij");
        masked("postgres://app:hunter2@db:5432/x", "app:hunter2");
        masked("é postgres://app:hunter2@db", "app:hunter2");
        masked("card 4111 1111 1111 1111 used", "4111 1111 1111 1111");
        masked("card 5500-0000-0000-0004", "5500-0000-0000-0004");
    }

    #[test]
    fn a_cut_off_pem_block_is_masked_to_the_end() {
        masked("-----BEGIN PRIVATE KEY-----\nMIIEvQ", "-----BEGIN PRIVATE KEY-----\nMIIEvQ");
    }

    #[test]
    fn names_before_values_in_loose_text() {
        let redactor = for_tests();
        let mask = redactor.mask("hunter2");
        assert_eq!(redactor.text(r#"{"password": "hunter2""#), format!(r#"{{"password": {mask}"#));
        assert_eq!(redactor.text("user=a&Api-Key=hunter2&x=1"), format!("user=a&Api-Key={mask}&x=1"));
        assert_eq!(redactor.text("clientSecret: hunter2"), format!("clientSecret: {mask}"));
        assert_eq!(redactor.text(r#"{"secret":"a\"b""#), format!(r#"{{"secret":{}"#, redactor.mask(r#"a\"b"#)));
    }

    #[test]
    fn parts_of_multipart_forms_and_elements() {
        let redactor = for_tests();
        let mask = redactor.mask("hunter2");
        for form in [
            "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n@\r\n--x--\r\n",
            "--x\r\nContent-Disposition: form-data; name=Pwd; filename=\"a\"\r\nContent-Type: text/plain\r\n\r\n@\r\n--x--",
            "--x\nContent-Disposition: form-data; name=\"api_key\"\n\n@",
            "<a><Password>@</Password><b>1</b></a>",
            "<soap:password type=\"x\">@</soap:password>",
        ] {
            assert_eq!(redactor.text(&form.replace('@', "hunter2")), form.replace('@', &mask));
        }
    }

    #[test]
    fn a_mask_beside_a_secret_does_not_hide_it() {
        let redactor = for_tests();
        for text in [
            "-----BEGIN X KEY-----\npassword=a\nMIIEhunter2\n-----END X KEY-----",
            "password=[redacted:hunter2",
            "postgres://[redacted:x:hunter2@db",
            "password=\"[redacted:01234567]hunter2\"",
        ] {
            assert!(!redactor.text(text).contains("hunter2"), "{}", redactor.text(text));
        }
    }

    #[test]
    fn what_only_looks_alike_stays() {
        let redactor = for_tests();
        for text in [
            "1763631026123456",
            "019aa0c5-6f8b-7000-8000-000000000000",
            "4111 1111 1111 1112",
            "41111111-1111-1111-8111-111111111111",
            "password: , <password></password>",
            "https://example.com/a:b/c",
            "mailto:someone@example.com",
            "tokens: three",
            "the secret is out",
            "a 2026-11-20 09:30:26 b",
            "https://example.com:8080/path@x",
        ] {
            assert_eq!(redactor.text(text), text);
        }
    }

    #[test]
    fn masking_twice_changes_nothing() {
        let redactor = for_tests();
        let once = redactor.text("password=hunter2 and postgres://a:b@c, <pin>7</pin> \"pwd\":'x'").into_owned();
        assert_eq!(redactor.text(&once), once);
    }
}
