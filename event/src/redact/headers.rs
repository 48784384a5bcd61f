//! Request headers, kept by allow-list only.

use std::collections::BTreeMap;

use super::Redactor;

impl Redactor {
    /// The allow-listed headers as JSON, `{"name": ["v1", "v2"]}`, names in lower case; `None` if there are none.
    ///
    /// Values are masked by shape, a `Referer`'s query also by name. Bytes that are not UTF-8 become U+FFFD.
    pub fn headers<'a>(&self, headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Option<String> {
        let mut kept: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            if self.rules.keeps_header(&name) {
                let text = String::from_utf8_lossy(value);
                let value = if name == "referer" { self.url(&text) } else { self.text(&text).into_owned() };
                kept.entry(name).or_default().push(value);
            }
        }
        if kept.is_empty() { None } else { serde_json::to_string(&kept).ok() }
    }

    fn url(&self, url: &str) -> String {
        // A fragment has no business in a request, but may carry a token.
        let url = url.split('#').next().unwrap_or_default();
        match url.split_once('?') {
            None => self.path(url).into_owned(),
            Some((path, query)) => format!("{}?{}", self.path(path), self.query(query).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::redact::for_tests;

    #[test]
    fn only_the_allow_list_is_kept() {
        let redactor = for_tests();
        let headers: [(&str, &[u8]); 6] = [
            ("Authorization", b"Bearer abc"),
            ("cookie", b"a=b"),
            ("x-api-key", b"k"),
            ("Accept", b"text/html"),
            ("accept", b"*/*"),
            ("Referer", b"https://x/y?token=hunter2&a=1#id_token=x"),
        ];
        let mask = redactor.mask("hunter2");
        assert_eq!(
            redactor.headers(headers),
            Some(format!(r#"{{"accept":["text/html","*/*"],"referer":["https://x/y?a=1&token={mask}"]}}"#))
        );
        assert_eq!(redactor.headers([("cookie", b"a=b".as_slice())]), None);
    }
}
