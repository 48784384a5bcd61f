//! How much an event keeps of what a stranger wrote, by whichever road it comes.

/// Bytes of a path.
pub const PATH: usize = 2 << 10;
/// Bytes of a query string.
pub const QUERY: usize = 8 << 10;
/// Bytes of any other text that is no body.
pub const TEXT: usize = 1 << 10;

/// The method as an event names it: the standard's own, any other as `_OTHER`.
pub fn method(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH" | "TRACE" | "CONNECT" => method,
        _ => "_OTHER",
    }
}

/// At most the first `max` bytes, cut between characters.
pub fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}
