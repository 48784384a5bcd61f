//! Text on its way into the page. Nothing gets there but through here.

use serde_json::Value;

/// The page as far as it is written, and the document that it is made of.
pub(super) struct Page<'a> {
    pub document: &'a Value,
    html: String,
}

impl<'a> Page<'a> {
    pub fn new(document: &'a Value) -> Self {
        Self { document, html: String::with_capacity(128 << 10) }
    }

    /// Adds markup: whoever makes it escapes what is no markup.
    pub fn push(&mut self, markup: &str) {
        self.html.push_str(markup);
    }

    /// Adds a value as people read it; text as it is.
    pub fn json(&mut self, value: &Value) {
        let text =
            value.as_str().map_or_else(|| serde_json::to_string_pretty(value).unwrap_or_default(), str::to_owned);
        self.push(&format!("<pre tabindex=\"0\"><code>{}</code></pre>", escaped(&text)));
    }

    /// What a reference refers to; anything else as it is.
    pub fn resolved<'b>(&self, value: &'b Value) -> &'b Value
    where
        'a: 'b,
    {
        let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(value)
    }

    pub fn into_html(self) -> String {
        self.html
    }
}

/// Text without markup.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Text whose `code` stands in backticks.
pub(super) fn rich(text: &str) -> String {
    let mut markup = String::new();
    for (index, part) in text.split('`').enumerate() {
        match index % 2 {
            0 => markup.push_str(&escaped(part)),
            _ => markup.push_str(&format!("<code>{}</code>", escaped(part))),
        }
    }
    markup
}

/// Paragraphs of such text, between empty lines.
pub(super) fn paragraphs(text: &str) -> String {
    text.split("\n\n")
        .filter(|paragraph| !paragraph.is_empty())
        .map(|paragraph| format!("<p>{}</p>", rich(paragraph)))
        .collect()
}

/// A method in its colour.
pub(super) fn method(method: &str) -> String {
    format!("<span class=\"method {}\">{method}</span>", method.to_ascii_lowercase())
}

/// A number with its thousands apart.
pub(super) fn number(number: &Value) -> String {
    let text = number.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("\u{2212}", digits));
    let first = digits.len() % 3;
    let groups =
        std::iter::once(&digits[..first]).chain((first..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    let groups: Vec<&str> = groups.filter(|group| !group.is_empty()).collect();
    format!("{sign}{}", groups.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(rich("a `<b>` & \"c\" `d"), "a <code>&lt;b&gt;</code> &amp; &quot;c&quot; <code>d</code>");
        assert_eq!(paragraphs("a\n\n<script>\n\n"), "<p>a</p><p>&lt;script&gt;</p>");
        let document = json!({});
        let mut page = Page::new(&document);
        page.json(&json!({"a": "</pre><script>"}));
        assert!(page.into_html().contains("&lt;/pre&gt;&lt;script&gt;"));
    }

    #[test]
    fn numbers() {
        let check = |value: i64, expect: &str| assert_eq!(number(&value.into()), expect);
        check(0, "0");
        check(999, "999");
        check(10_000, "10,000");
        check(-9_007_199_254_740_991, "\u{2212}9,007,199,254,740,991");
    }
}
