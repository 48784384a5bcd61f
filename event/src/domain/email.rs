//! E-mail addresses, in the one spelling by which they are compared.

/// Most characters of an address.
pub const ADDRESS_MAX: usize = 254;
/// Most characters of what stands before its `@`.
const LOCAL_MAX: usize = 64;

/// What an address of up to [`ADDRESS_MAX`] characters matches, and nothing else does.
pub const PATTERN: &str = concat!(
    r#"^[^@\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"(),:;<>\[\]\\]{1,64}"#,
    r#"@[^@.\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"(),:;<>\[\]\\]+"#,
    r#"(\.[^@.\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"(),:;<>\[\]\\]+)*$"#,
);

/// The address in lower case; `None` if the text is none.
///
/// Two addresses that this makes equal belong to one mailbox as far as anybody can tell: hardly a server tells
/// `Ann@example.org` from `ann@example.org`. Whether the mailbox exists is not asked. Comments and quoted names are refused,
/// and so are blanks and control characters anywhere.
pub fn normalised(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let odd = |letter: char| letter.is_control() || letter.is_whitespace() || "\"(),:;<>[]\\".contains(letter);
    let fits = (1..=LOCAL_MAX).contains(&local.chars().count()) && text.chars().count() <= ADDRESS_MAX;
    let has_labels = !domain.contains('@') && domain.split('.').all(|label| !label.is_empty());
    (fits && has_labels && !text.contains(odd)).then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_address_has_one_spelling() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(normalised(text).as_deref(), expect, "{text:?}");
        check("Ann.Lee+x@Example.ORG", Some("ann.lee+x@example.org"));
        check("ann@localhost", Some("ann@localhost"));
        check("ÄNN@EXAMPLE.ORG", Some("änn@example.org"));
        for text in ["", "@", "a@", "@b", "a", "a@b@c", "a@.b", "a@b.", "a@b..c", " a@b", "a@b\n", "a\0@b", "a b@c"] {
            check(text, None);
        }
        for text in ["\"a\"@b", "a@[127.0.0.1]", "Ann <a@b>", "a,b@c", "a\u{2028}@b", "a\u{7f}@b"] {
            check(text, None);
        }
        let longest = format!("{}@{}", "a".repeat(64), "b".repeat(189));
        check(&longest, Some(&longest));
        check(&format!("{longest}b"), None);
        check(&format!("a{}", longest.replace("b", "")), None);
        check(&format!("{}@b", "a".repeat(65)), None);
        let foreign = format!("{}@b", "ä".repeat(64));
        check(&foreign, Some(&foreign));
        check(&format!("ä{foreign}"), None);
    }

    proptest! {
        #[test]
        fn the_pattern_is_what_the_reader_does(
            text in prop_oneof![any::<String>(), "[a@.\u{a0}\u{85}\u{1680}İ\"\\\\\\[\n -]{0,9}", "a{60,66}@b{185,191}(\\.c)?"]
        ) {
            let pattern = regex::Regex::new(PATTERN).unwrap();
            let matches = pattern.is_match(&text) && text.chars().count() <= ADDRESS_MAX;
            prop_assert_eq!(matches, normalised(&text).is_some());
        }
    }
}
