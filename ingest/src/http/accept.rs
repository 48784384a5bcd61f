//! Content negotiation: which of the representations on offer the client takes.

/// The first of `offered` media types that an `Accept` header allows with the highest weight.
///
/// Without a header everything is allowed. A malformed range allows nothing by itself.
pub fn choose<'a>(accept: Option<&str>, offered: &[&'a str]) -> Option<&'a str> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return offered.first().copied() };
    let mut best: Option<(u16, &str)> = None;
    for offer in offered {
        let weight = weight(accept, offer);
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, offer));
        }
    }
    best.map(|(_, offer)| offer)
}

/// The weight of one media type in thousandths: that of the most specific range that matches it.
fn weight(accept: &str, offer: &str) -> u16 {
    let kind = offer.split('/').next().unwrap_or_default();
    let mut found = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let specific = match name.as_str() {
            "*/*" => 1,
            name if name.strip_suffix("/*") == Some(kind) => 2,
            name if name == offer => 3,
            _ => continue,
        };
        let quality =
            parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q="))).map_or(Some(1_000), thousandths);
        if specific > found.0 {
            found = (specific, quality.unwrap_or(0));
        }
    }
    found.1
}

fn thousandths(quality: &str) -> Option<u16> {
    let value: f32 = quality.parse().ok().filter(|value| (0.0..=1.0).contains(value))?;
    // In 0..=1000 by the line above.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just above")]
    Some((value * 1_000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn chooses() {
        let offered = ["application/json", "text/csv"];
        let check = |accept: &str, expect: Option<&str>| assert_eq!(choose(Some(accept), &offered), expect, "{accept}");
        assert_eq!(choose(None, &offered), Some("application/json"));
        check("", Some("application/json"));
        check("*/*", Some("application/json"));
        check("text/*", Some("text/csv"));
        check("text/html, application/xhtml+xml, */*;q=0.8", Some("application/json"));
        check("text/csv, application/json;q=0.5", Some("text/csv"));
        check("application/json;q=0", None);
        check("*/*, application/json;q=0", Some("text/csv"));
        check("text/html", None);
        check("application/json;q=nonsense", None);
        check("APPLICATION/JSON", Some("application/json"));
        check("application/json;Q=0", None);
    }
}
