//! Where a gateway has the API mounted: a stage, or a custom domain's mapping, before every path.

use percent_encoding::percent_decode_str;

use crate::http::limits;
use crate::json::Members;

/// A path, and what the client's address has before it.
#[derive(Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Comes before every path that a client is told; empty for nothing.
    pub mount: String,
    /// The path as received, without it.
    pub path: String,
}

impl Mounted {
    fn at(mount: &str, path: &str) -> Self {
        Self { mount: mount.to_owned(), path: if path.is_empty() { "/" } else { path }.to_owned() }
    }
}

/// A REST API's path. Its stage is in the client's address, not in the event's path; a custom domain's mapping is in
/// both, and shows as what `{proxy+}` did not take.
pub fn rest(path: &str, event: &Members<'_>, context: &Members<'_>, base_path: &str) -> Mounted {
    let stage = context.get("stage").text().map(|stage| format!("/{stage}")).unwrap_or_default();
    let full = context.get("path").text();
    let before = match event.within("pathParameters").get("proxy").text() {
        Some(proxy) => before_proxy(path, &proxy, &event.get("resource").text().unwrap_or_default()),
        None if full.as_deref().is_none_or(|full| full == path) => begins_with(path, &stage),
        None => None,
    };
    if let Some(before) = before.filter(|before| may_go(path, before, base_path)) {
        return Mounted::at(before, &path[before.len()..]);
    }
    let behind_stage = full.is_some_and(|full| full.strip_prefix(&stage) == Some(path));
    Mounted { mount: if behind_stage { stage } else { String::new() }, path: path.to_owned() }
}

/// An HTTP API's path. It has a named stage; a custom domain's mapping has been taken off, and is not told.
pub fn http_api(path: &str, context: &Members<'_>, base_path: &str) -> Mounted {
    let stage = context.get("stage").text().map(|stage| format!("/{stage}")).unwrap_or_default();
    let own_domain = context.get("domainName").text().is_some_and(|domain| !domain.contains(".execute-api."));
    match begins_with(path, &stage).filter(|before| may_go(path, before, base_path)) {
        Some(before) => Mounted::at(if own_domain { "" } else { before }, &path[before.len()..]),
        None => Mounted { mount: String::new(), path: path.to_owned() },
    }
}

/// What stands before the part of the path that `{proxy+}` took, but for the resource's own beginning.
fn before_proxy<'a>(path: &'a str, proxy: &str, resource: &str) -> Option<&'a str> {
    if path.len() > limits::PATH {
        return None;
    }
    // The gateway decodes the parameter, so what it took is looked for in both spellings; the longest match counts.
    let taken = |rest: &str| rest == proxy || percent_decode_str(rest).decode_utf8_lossy() == proxy;
    let at = path.match_indices('/').map(|(at, _)| at).find(|at| taken(&path[at + 1..]))?;
    let literal = resource.split('{').next().unwrap_or_default().trim_end_matches('/');
    path[..at].strip_suffix(literal)
}

/// `stage`, if it is the path's first segment.
fn begins_with<'a>(path: &'a str, stage: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(stage)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| &path[..stage.len()])
}

/// Whether this beginning of the path is a stage or a mapping: whole segments of plain characters, and not where the
/// API itself has its routes.
fn may_go(path: &str, before: &str, base_path: &str) -> bool {
    let mut segments = before.split('/');
    let plain =
        |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%');
    let is_mount = segments.next() == Some("") && before.len() > 1 && segments.all(plain);
    let is_base = !base_path.is_empty() && path.starts_with(base_path) && !path[before.len()..].starts_with(base_path);
    is_mount && !is_base
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    #[track_caller]
    fn check(event: &str, expect: (&str, &str)) {
        check_at("", event, expect);
    }

    #[track_caller]
    fn check_at(base_path: &str, event: &str, (mount, path): (&str, &str)) {
        let root = Json::new(event).members().unwrap();
        let context = root.within("requestContext");
        let mounted = match root.get("rawPath").text() {
            Some(raw) => http_api(&raw, &context, base_path),
            None => rest(&root.get("path").text().unwrap(), &root, &context, base_path),
        };
        assert_eq!(mounted, Mounted { mount: mount.to_owned(), path: path.to_owned() }, "{event}");
    }

    #[test]
    fn a_rest_stage_is_in_the_address_and_not_in_the_path() {
        let own = |path: &str, proxy: &str| {
            format!(
                r#"{{"resource":"/{{proxy+}}","path":"{path}","pathParameters":{{"proxy":"{proxy}"}},
                    "requestContext":{{"stage":"prod","path":"/prod{path}"}}}}"#
            )
        };
        check(&own("/tasks/1", "tasks/1"), ("/prod", "/tasks/1"));
        check(&own("/assets/%2e%2e/x", "assets/../x"), ("/prod", "/assets/%2e%2e/x"));
        check(&own("/prod/x", "prod/x"), ("/prod", "/prod/x"));
        check(&own("//tasks", "tasks"), ("/prod", "//tasks"));
        check(r#"{"path":"/","requestContext":{"stage":"prod","path":"/prod/"}}"#, ("/prod", "/"));
    }

    #[test]
    fn a_custom_domain_s_mapping_is_taken_off() {
        let mapped = |path: &str, proxy: &str| {
            format!(
                r#"{{"resource":"/{{proxy+}}","path":"{path}","pathParameters":{{"proxy":"{proxy}"}},
                    "requestContext":{{"stage":"prod","path":"{path}","domainName":"api.example.org"}}}}"#
            )
        };
        check(&mapped("/shop/v1/tasks/1", "tasks/1"), ("/shop/v1", "/tasks/1"));
        check(&mapped("/shop/a%2Fb", "a/b"), ("/shop", "/a%2Fb"));
        check(&mapped("/tasks/tasks", "tasks/tasks"), ("", "/tasks/tasks"));
        check(&mapped("/prod/tasks", "tasks"), ("/prod", "/tasks"));
        check(&mapped("//tasks", "tasks"), ("", "//tasks"));
        check(&mapped("/%2e%2e/tasks", "tasks"), ("", "/%2e%2e/tasks"));
        check(&mapped("/tasks/", "tasks"), ("", "/tasks/"));
        check_at("/v1", &mapped("/v1/tasks", "tasks"), ("", "/v1/tasks"));
        check_at("/v1", &mapped("/shop/v1/tasks", "v1/tasks"), ("/shop", "/v1/tasks"));
    }

    #[test]
    fn a_stage_in_the_path_is_taken_off() {
        check(r#"{"path":"/prod/tasks","requestContext":{"stage":"prod","path":"/prod/tasks"}}"#, ("/prod", "/tasks"));
        check(r#"{"path":"/prod","requestContext":{"stage":"prod"}}"#, ("/prod", "/"));
        check(r#"{"path":"/production","requestContext":{"stage":"prod"}}"#, ("", "/production"));
        check(r#"{"path":"/tasks","requestContext":{"stage":7,"path":[]}}"#, ("", "/tasks"));
        check(r#"{"path":"/tasks","requestContext":{"stage":""}}"#, ("", "/tasks"));
    }

    #[test]
    fn an_http_api_has_a_named_stage_in_its_path() {
        let own = |path: &str, stage: &str, domain: &str| {
            format!(r#"{{"rawPath":"{path}","requestContext":{{"stage":"{stage}","domainName":"{domain}"}}}}"#)
        };
        let gateway = "id.execute-api.eu-west-1.amazonaws.com";
        check(&own("/Prod/tasks", "Prod", gateway), ("/Prod", "/tasks"));
        check(&own("/tasks", "$default", gateway), ("", "/tasks"));
        check(&own("/Prod/tasks", "Prod", "api.example.org"), ("", "/tasks"));
        check(&own("/$default/x", "$default", "id.lambda-url.eu-west-2.on.aws"), ("", "/x"));
        check_at("/Prod", &own("/Prod/tasks", "Prod", gateway), ("", "/Prod/tasks"));
    }
}
