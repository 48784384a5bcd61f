//! E-mail addresses, in the one spelling by which they are compared.

/// Most bytes of an address, and of what stands before its `@`.
const ADDRESS_MAX: usize = 254;
const LOCAL_MAX: usize = 64;

/// The address in lower case; `None` if the text is none.
///
/// Two addresses that this makes equal belong to one mailbox as far as anybody can tell: hardly a server tells
/// `Ann@example.org` from `ann@example.org`. Whether the mailbox exists is not asked. Comments and quoted names are refused,
/// and so are blanks and control characters anywhere.
pub fn normalised(text: &str) -> Option<String> {
    let address = text.to_lowercase();
    let (local, domain) = address.split_once('@')?;
    let odd = |letter: char| letter.is_control() || letter.is_whitespace() || "\"(),:;<>[]\\".contains(letter);
    let fits = (1..=LOCAL_MAX).contains(&local.len()) && address.len() <= ADDRESS_MAX;
    let has_labels = !domain.contains('@') && domain.split('.').all(|label| !label.is_empty());
    (fits && has_labels && !address.contains(odd)).then_some(address)
}

#[cfg(test)]
mod tests {
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
    }
}
