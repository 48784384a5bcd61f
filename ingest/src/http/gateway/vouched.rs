//! Who a gateway says that a request is from: what its authorizers put into `requestContext`, and nothing else. Headers
//! are the client's own, whatever they are called.

use serde_json::Value;

use super::Kind;
use crate::http::auth::Claims;
use crate::http::request::Vouched;
use crate::json::{Json, Members};

/// Members of a REST authorizer's context that the gateway adds itself.
const OF_THE_GATEWAY: [&str; 6] =
    ["claims", "integrationLatency", "integrationStatus", "jwt", "scopes", "usageIdentifierKey"];

/// The identity, if the gateway knows one. A load balancer's is in headers, and is not believed.
pub fn vouched(kind: Kind, context: &Members<'_>) -> Option<Vouched> {
    let authorizer = context.within("authorizer");
    match kind {
        Kind::LoadBalancer => None,
        Kind::HttpApi => claims(authorizer.within("jwt").get("claims"))
            .map(Vouched::Claims)
            .or_else(|| claims(authorizer.get("lambda")).map(Vouched::Custom))
            .or_else(|| iam(&authorizer.within("iam"))),
        Kind::Rest => claims(authorizer.get("claims"))
            .map(Vouched::Claims)
            .or_else(|| claims(authorizer.within("jwt").get("claims")).map(Vouched::Claims))
            .or_else(|| custom(context.get("authorizer")))
            .or_else(|| iam(&context.within("identity"))),
    }
}

/// An object with something in it.
fn claims(json: Json<'_>) -> Option<Claims> {
    // What nests too deep to be read is no claim of ours either.
    let claims: Claims = json.members().and_then(|_| serde_json::from_str(json.raw()).ok())?;
    Some(claims).filter(|claims| !claims.is_empty())
}

/// The context of a function that let the request in: everything is beside the principal.
fn custom(authorizer: Json<'_>) -> Option<Vouched> {
    let mut context = claims(authorizer)?;
    context.retain(|name, value| !OF_THE_GATEWAY.contains(&name.as_str()) && !value.is_null());
    let said = context.values().any(|value| *value != Value::String(String::new()));
    said.then_some(Vouched::Custom(context))
}

/// A signed request's principal, by the most that AWS says of it.
fn iam(identity: &Members<'_>) -> Option<Vouched> {
    let known = |name: &str| identity.get(name).text().filter(|text| !text.is_empty());
    ["userArn", "caller", "callerId", "userId"].into_iter().find_map(known).map(Vouched::Iam)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, context: &str) -> Option<Vouched> {
        vouched(kind, &Json::new(context).members().unwrap())
    }

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn authorizers_of_rest_apis() {
        let check = |context: &str, expect: Option<Vouched>| assert_eq!(of(Kind::Rest, context), expect, "{context}");
        check(
            r#"{"authorizer":{"claims":{"sub":"ann","cognito:groups":"[a b]"},"scopes":null}}"#,
            Some(Vouched::Claims(claims(r#"{"sub":"ann","cognito:groups":"[a b]"}"#))),
        );
        check(
            r#"{"authorizer":{"principalId":"ann","org":"red","integrationLatency":12}}"#,
            Some(Vouched::Custom(claims(r#"{"principalId":"ann","org":"red"}"#))),
        );
        check(
            r#"{"identity":{"userArn":"arn:aws:iam::1:user/ann","caller":"AIDA","sourceIp":"::1"}}"#,
            Some(Vouched::Iam("arn:aws:iam::1:user/ann".to_owned())),
        );
        for nobody in [
            "{}",
            r#"{"authorizer":{}}"#,
            r#"{"authorizer":null}"#,
            r#"{"authorizer":"ann"}"#,
            r#"{"authorizer":{"integrationLatency":12}}"#,
            r#"{"authorizer":{"principalId":""}}"#,
            r#"{"authorizer":{"claims":{}}}"#,
            r#"{"identity":{"userArn":null,"user":"","sourceIp":"::1"}}"#,
        ] {
            check(nobody, None);
        }
    }

    #[test]
    fn authorizers_of_http_apis() {
        let check =
            |context: &str, expect: Option<Vouched>| assert_eq!(of(Kind::HttpApi, context), expect, "{context}");
        check(
            r#"{"authorizer":{"jwt":{"claims":{"sub":"ann"},"scopes":["read"]}}}"#,
            Some(Vouched::Claims(claims(r#"{"sub":"ann"}"#))),
        );
        check(r#"{"authorizer":{"lambda":{"sub":"ann"}}}"#, Some(Vouched::Custom(claims(r#"{"sub":"ann"}"#))));
        check(
            r#"{"authorizer":{"iam":{"accessKey":"A","userArn":"arn:aws:sts::1:assumed-role/r/s","userId":"U"}}}"#,
            Some(Vouched::Iam("arn:aws:sts::1:assumed-role/r/s".to_owned())),
        );
        check(r#"{"authorizer":{"claims":{"sub":"ann"}}}"#, None);
        check(r#"{"authorizer":{"lambda":null,"jwt":{"claims":null}}}"#, None);
        let deep = format!(r#"{{"authorizer":{{"lambda":{{"a":{}{}}}}}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        check(&deep, None);
    }

    #[test]
    fn a_load_balancer_vouches_for_nobody() {
        assert_eq!(of(Kind::LoadBalancer, r#"{"elb":{},"authorizer":{"claims":{"sub":"ann"}}}"#), None);
    }
}
