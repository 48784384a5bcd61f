//! Bearer tokens: which are taken, which are not, and that no event has one in it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use event::Timestamp;
use hmac::{Hmac, Mac};
use ingest::http::auth::{ApiKey, BearerRules, Bearers, ClaimRules, Claims, Credentials, FetchJwks, Issued};
use ingest::http::{Response, Vouched};
use ingest::{Error, ErrorKind, Settings, System};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
    RsaKeyPair,
};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::problems::problem;
use crate::rig::{Backend, NOW, Req, Rig, run};

pub const ISSUER: &str = "https://issuer.example/pool";

/// The private keys of an issuer.
pub struct Issuer {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

impl Issuer {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            rsa: RsaKeyPair::from_pkcs8(include_bytes!("../../testdata/jwt/rsa-2048.pk8")).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).unwrap(),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
        }
    }

    pub fn rsa_components(&self) -> (String, String) {
        let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        (B64.encode(public.n), B64.encode(public.e))
    }

    /// The public keys, among others that are of no use.
    pub fn jwks(&self) -> String {
        let ((n, e), point) = (self.rsa_components(), self.ec.public_key().as_ref());
        let (x, y) = (B64.encode(&point[1..33]), B64.encode(&point[33..]));
        let keys = json!([
            {"kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": n, "e": e},
            {"kty": "EC", "kid": "ec", "crv": "P-256", "x": x, "y": y},
            {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": B64.encode(self.ed.public_key())},
            {"kty": "RSA", "kid": "rsa512", "alg": "RS512", "n": n, "e": e},
            {"kty": "RSA", "kid": "encrypts", "use": "enc", "n": n, "e": e},
            {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
            {"kty": "lattice", "kid": "later"},
        ]);
        json!({ "keys": keys }).to_string()
    }

    pub fn sign(&self, how: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |encoding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa.sign(encoding, &random, message, &mut signature).unwrap();
            signature
        };
        match how {
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "ES256" => self.ec.sign(&random, message).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            // The classic: the public key, which everybody has, taken for a shared secret.
            "HS256" => {
                let mut mac = Hmac::<Sha256>::new_from_slice(self.rsa_components().0.as_bytes()).unwrap();
                mac.update(message);
                mac.finalize().into_bytes().to_vec()
            }
            _ => Vec::new(),
        }
    }

    /// A token with this header and these claims, signed as `how` says.
    pub fn token_as(&self, how: &str, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
        format!("{message}.{}", B64.encode(self.sign(how, message.as_bytes())))
    }

    pub fn token(&self, algorithm: &str, kid: &str, claims: &Value) -> String {
        self.token_as(algorithm, &json!({"alg": algorithm, "kid": kid, "typ": "JWT"}), claims)
    }
}

pub fn now() -> i64 {
    Timestamp::parse(NOW).unwrap().seconds()
}

/// Good claims, but for the changes.
pub fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": "web", "sub": "ann", "exp": now() + 300, "nbf": now() - 5, "org": "red", "scope": "openid admin",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => _ = claims.as_object_mut().unwrap().remove(name),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

pub fn rules() -> BearerRules {
    BearerRules { issuer: ISSUER.to_owned(), audiences: vec!["web".to_owned(), "app".to_owned()], leeway: 60 }
}

pub fn settings() -> Settings {
    let claims = ClaimRules {
        tenant_claim: Some("org".to_owned()),
        scope_claim: Some("scope".to_owned()),
        ..ClaimRules::default()
    };
    let key = format!("k1:blue:{}:write", event::sha256_hex(b"secret-k1")).parse().unwrap();
    Settings { claims, api_keys: vec![key], ..Settings::default() }
}

fn fixed(jwks: String) -> FetchJwks {
    Arc::new(move || {
        let jwks = jwks.clone();
        Box::pin(async move { Ok(jwks) })
    })
}

fn rig(issuer: &Issuer) -> Rig {
    let bearers = Bearers::new(rules(), fixed(issuer.jwks()), System::real());
    let credentials = Credentials { bearers: Some(Arc::new(bearers)), ..Credentials::default() };
    Rig::trusting(Backend::memory(), settings(), credentials)
}

pub fn with(token: &str) -> Req {
    Req::get("/tasks").h("authorization", format!("Bearer {token}"))
}

#[test]
fn tokens_of_all_three_algorithms_are_taken() {
    run(async {
        let issuer = Issuer::new();
        let rig = rig(&issuer);
        for (algorithm, kid) in [("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")] {
            let token = issuer.token(algorithm, kid, &claims(&json!({})));
            rig.expect(200, with(&token)).await;
            let event = rig.last_event().await;
            assert_eq!((event.tenant.as_str(), event.actor_type.as_str()), ("red", "jwt"));
            assert_eq!((event.actor_id.as_deref(), event.user_id.as_deref()), (Some("ann"), Some("ann")));
            let signature = token.rsplit('.').next().unwrap();
            assert!(!String::from_utf8(event.to_line()).unwrap().contains(signature));
        }
        for good in [
            json!({"aud": ["other", "app"]}),
            json!({"aud": "web", "token_use": "id"}),
            json!({"aud": null, "client_id": "app", "token_use": "access"}),
            json!({"exp": now() - 59}),
            json!({"nbf": now() + 59}),
            json!({"nbf": null}),
            json!({"exp": (now() as f64) + 0.5}),
        ] {
            rig.expect(200, with(&issuer.token("ES256", "ec", &claims(&good)))).await;
        }
        let typed = json!({"alg": "ES256", "kid": "ec", "typ": "at+jwt"});
        rig.expect(200, with(&issuer.token_as("ES256", &typed, &claims(&json!({}))))).await;
        let lower = issuer.token("ES256", "ec", &claims(&json!({})));
        rig.expect(200, Req::get("/tasks").h("authorization", format!("bearer {lower}"))).await;
        // Whom a submission names is whose it is.
        let sent =
            Req::post("/data", r#"{"user_id":"bob","message":"m"}"#).h("authorization", format!("Bearer {lower}"));
        rig.expect(201, sent).await;
        assert_eq!(rig.last_event().await.user_id.as_deref(), Some("bob"));
        rig.verify().await;
    });
}

/// Every token that is not to be taken, and why.
fn wrong(issuer: &Issuer) -> Vec<(&'static str, String)> {
    let (thief, good) = (Issuer::new(), claims(&json!({})));
    let said = |name: &'static str, changes: Value| (name, issuer.token("ES256", "ec", &claims(&changes)));
    let headed = |name: &'static str, how: &str, header: Value| (name, issuer.token_as(how, &header, &good));
    let stolen = |name: &'static str, header: Value| (name, thief.token_as("ES256", &header, &good));
    let whole = issuer.token("ES256", "ec", &good);
    let parts: Vec<&str> = whole.split('.').collect();
    let other = B64.encode(claims(&json!({"sub": "root"})).to_string());
    let own: Value = serde_json::from_str(&thief.jwks()).unwrap();
    let mut altered = B64.decode(parts[2]).unwrap();
    altered[20] ^= 1;
    vec![
        headed("alg none", "none", json!({"alg": "none", "kid": "ec"})),
        headed("alg None", "none", json!({"alg": "None", "kid": "ec"})),
        headed("alg none with a signature", "ES256", json!({"alg": "none", "kid": "ec"})),
        headed("no alg", "ES256", json!({"kid": "ec"})),
        headed("HS256 with the public key", "HS256", json!({"alg": "HS256", "kid": "rsa"})),
        headed("HS256 with the shared key of the set", "HS256", json!({"alg": "HS256", "kid": "shared"})),
        headed("an algorithm that is not taken", "RS512", json!({"alg": "RS512", "kid": "rsa512"})),
        headed("another algorithm of the same key", "RS512", json!({"alg": "RS512", "kid": "rsa"})),
        headed("another algorithm than the key's", "ES256", json!({"alg": "ES256", "kid": "rsa"})),
        headed("said to be another algorithm", "ES256", json!({"alg": "RS256", "kid": "ec"})),
        headed("a key for encryption", "RS256", json!({"alg": "RS256", "kid": "encrypts"})),
        headed("another key of the set", "ES256", json!({"alg": "EdDSA", "kid": "ed"})),
        headed("no kid", "ES256", json!({"alg": "ES256"})),
        headed("unknown kid", "ES256", json!({"alg": "ES256", "kid": "../../ec"})),
        headed("kid of another type", "ES256", json!({"alg": "ES256", "kid": 1})),
        headed("crit", "ES256", json!({"alg": "ES256", "kid": "ec", "crit": ["exp"]})),
        headed("b64", "ES256", json!({"alg": "ES256", "kid": "ec", "b64": false})),
        headed("typ of something else", "ES256", json!({"alg": "ES256", "kid": "ec", "typ": "logout+jwt"})),
        stolen("another's key under our kid", json!({"alg": "ES256", "kid": "ec"})),
        stolen("embedded jwk", json!({"alg": "ES256", "kid": "ec", "jwk": own["keys"][1]})),
        stolen("embedded jwk without kid", json!({"alg": "ES256", "jwk": own["keys"][1]})),
        stolen("jku", json!({"alg": "ES256", "kid": "ec", "jku": "https://thief.example/jwks"})),
        stolen("x5u", json!({"alg": "ES256", "kid": "ec", "x5u": "https://thief.example/cert"})),
        stolen("x5c", json!({"alg": "ES256", "kid": "ec", "x5c": ["MIIB"]})),
        headed("jku and our own signature", "ES256", json!({"alg": "ES256", "kid": "ec", "jku": "https://x.example"})),
        said("wrong issuer", json!({"iss": "https://issuer.example/pool2"})),
        said("issuer with more behind it", json!({"iss": format!("{ISSUER}/")})),
        said("several issuers", json!({"iss": [ISSUER]})),
        said("no issuer", json!({"iss": null})),
        said("wrong audience", json!({"aud": "other"})),
        said("no audience", json!({"aud": null})),
        said("audience of another type", json!({"aud": {"web": true}})),
        said("an access token's audience is no client id", json!({"token_use": "access"})),
        said("an access token of another client", json!({"token_use": "access", "client_id": "other", "aud": "web"})),
        said(
            "an identity token's client id is no audience",
            json!({"token_use": "id", "aud": null, "client_id": "web"}),
        ),
        said("a token for something else", json!({"token_use": "refresh"})),
        said("token use of another type", json!({"token_use": ["id"]})),
        said("expired", json!({"exp": now() - 60})),
        said("long expired", json!({"exp": 0})),
        said("no expiry", json!({"exp": null})),
        said("expiry of another type", json!({"exp": (now() + 300).to_string()})),
        said("not yet valid", json!({"nbf": now() + 62})),
        said("not-before of another type", json!({"nbf": "0"})),
        said("no subject", json!({"sub": null})),
        said("an empty subject", json!({"sub": ""})),
        said("a subject of another type", json!({"sub": 7})),
        ("altered signature", format!("{}.{}.{}", parts[0], parts[1], B64.encode(altered))),
        ("altered claims", format!("{}.{other}.{}", parts[0], parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{whole}.x")),
        ("empty header", format!(".{}.{}", parts[1], parts[2])),
        ("empty claims", format!("{}..{}", parts[0], parts[2])),
        ("empty parts", "..".to_owned()),
        ("a dot", ".".to_owned()),
        ("no token", String::new()),
        ("no base64", "a!.b!.c!".to_owned()),
        ("claims that are no object", issuer.token("ES256", "ec", &json!([]))),
        ("text behind it", format!("{whole} x")),
        ("huge", format!("{}.{}.{}", parts[0], "A".repeat(8_192), parts[2])),
    ]
}

#[test]
fn every_other_token_is_401_with_one_event_that_has_none_of_it() {
    run(async {
        let issuer = Issuer::new();
        let rig = rig(&issuer);
        for (name, token) in wrong(&issuer) {
            let answer = rig.send(with(&token)).await;
            assert_eq!(answer.status(), 401, "{name}");
            problem(&answer, "unauthenticated");
            assert!(answer.header("www-authenticate").is_some_and(|it| it.starts_with("Bearer")), "{name}");
            let event = rig.last_event().await;
            // A token that was good once is still known to be of somebody's.
            let is_known = ["expir", "not yet valid", "not-before"].iter().any(|flaw| name.contains(flaw));
            let tenant = if is_known { "red" } else { "default" };
            assert_eq!((event.tenant.as_str(), event.actor_type.as_str()), (tenant, "anonymous"), "{name}");
            assert_eq!((event.actor_id.as_ref(), event.user_id.as_ref()), (None, None), "{name}");
            let line = String::from_utf8(event.to_line()).unwrap();
            let body = String::from_utf8_lossy(answer.body()).into_owned();
            for part in token.split('.').filter(|part| part.len() > 8) {
                assert!(!line.contains(part) && !body.contains(part), "{name}: {line} {body}");
            }
        }
        let good = issuer.token("ES256", "ec", &claims(&json!({})));
        rig.expect(401, with(&good).h("authorization", format!("Bearer {good}"))).await;
        rig.expect(401, Req::get("/tasks").h("authorization", b"Bearer \xff")).await;
        // A good key does not make up for a bad token.
        rig.expect(401, with("x.y.z").h("x-api-key", "secret-k1")).await;
        rig.expect(401, Req::get("/tasks").h("authorization", "Basic YTpi")).await;
        rig.expect(401, Req::get("/tasks")).await;
    });
}

#[test]
fn tenant_and_scope_are_the_claims() {
    run(async {
        let issuer = Issuer::new();
        let rig = rig(&issuer);
        let bearer = |changes: Value| format!("Bearer {}", issuer.token("EdDSA", "ed", &claims(&changes)));
        let slug = |answer: &Response, slug: &str| _ = problem(answer, slug);
        let create = |changes| Req::post("/tasks", r#"{"task":"t"}"#).h("authorization", bearer(changes));
        rig.expect(201, create(json!({"scope": "openid write"}))).await;
        slug(&rig.expect(403, create(json!({"scope": "read"}))).await, "insufficient-scope");
        slug(&rig.expect(403, create(json!({"scope": "openid billing/admin"}))).await, "insufficient-scope");
        slug(&rig.expect(403, create(json!({"org": null}))).await, "no-tenant");
        slug(&rig.expect(403, create(json!({"org": 7}))).await, "no-tenant");
        // A key beside the token says whose data it is where the token does not, and narrows what may be done.
        rig.expect(201, create(json!({"org": null})).h("x-api-key", "secret-k1")).await;
        let event = rig.last_event().await;
        assert_eq!((event.tenant.as_str(), event.actor_id.as_deref()), ("blue", Some("ann")));
        assert_eq!((event.actor_type.as_str(), event.api_key_id.as_deref()), ("jwt", Some("k1")));
        rig.expect(201, create(json!({})).h("x-api-key", "secret-k1")).await;
        assert_eq!(rig.last_event().await.tenant, "red");
        let ask = Req::get("/queries").h("authorization", bearer(json!({})));
        rig.expect(404, ask.clone()).await;
        rig.expect(403, ask.h("x-api-key", "secret-k1")).await;
        rig.expect(200, Req::get("/health").h("authorization", "Bearer x")).await;
    });
}

/// Finds these keys, or none at all while the table is down.
fn issued(keys: Vec<ApiKey>, is_down: bool) -> Issued {
    Issued::Asked(Arc::new(move |id| {
        let found = keys.iter().find(|key| key.id == id).cloned().map(Arc::new);
        Box::pin(async move {
            if is_down { Err(Error::new(ErrorKind::Unavailable, "the table is away")) } else { Ok(found) }
        })
    }))
}

#[test]
fn a_key_beside_another_credential_must_be_good_too() {
    run(async {
        let issuer = Issuer::new();
        let hash = |text: &str| event::sha256_hex(text.as_bytes());
        let key = |id: &str, more: &str| -> ApiKey {
            format!("{id}:blue:{}:write{more}", hash(&format!("dbk_{id}_secret"))).parse().unwrap()
        };
        let revoked = ApiKey { revoked_at: Timestamp::parse("2026-01-01T00:00:00Z").ok(), ..key("revoked", "") };
        let keys = vec![key("good", ""), key("expired", ":2020-01-01T00:00:00Z"), revoked];
        let rig = |is_down: bool| {
            let bearers = Bearers::new(rules(), fixed(issuer.jwks()), System::real());
            let credentials = Credentials { issued: issued(keys.clone(), is_down), bearers: Some(Arc::new(bearers)) };
            let claims = ClaimRules { tenant: Some("fixed".to_owned()), ..settings().claims };
            Rig::trusting(Backend::memory(), Settings { claims, ..settings() }, credentials)
        };
        let token = issuer.token("ES256", "ec", &claims(&json!({"org": null})));
        let ann: Claims = serde_json::from_value(json!({"sub": "ann", "scope": "admin"})).unwrap();
        let both = [with(&token), Req::get("/tasks").vouched(Vouched::Claims(ann))];
        let (up, down) = (rig(false), rig(true));
        for request in both {
            let beside = |key: &str| request.clone().h("x-api-key", key);
            for (key, status, tenant) in [
                ("dbk_good_secret", 200, "blue"),
                ("dbk_expired_secret", 401, "blue"),
                ("dbk_revoked_secret", 401, "blue"),
                ("dbk_good_secret_mistyped", 401, "default"),
                ("dbk_unknown_secret", 401, "default"),
                ("dbk_mistyped", 401, "default"),
                ("secret-k1", 200, "blue"),
                // A gateway's own key is none of ours.
                ("AbCdEf0123456789", 200, "fixed"),
            ] {
                up.expect(status, beside(key)).await;
                assert_eq!(up.last_event().await.tenant, tenant, "{key}");
            }
            up.expect(401, beside("secret-k1").h("x-api-key", "secret-k1")).await;
            down.expect(503, beside("dbk_good_secret")).await;
            down.expect(200, beside("AbCdEf0123456789")).await;
            up.expect(200, request).await;
            assert_eq!(up.last_event().await.tenant, "fixed");
        }
        up.verify().await;
    });
}

#[test]
fn where_keys_are_asked_for_nobody_comes_in_without_one() {
    run(async {
        let open = |credentials| Rig::trusting(Backend::memory(), Settings::default(), credentials);
        let asked = issued(Vec::new(), false);
        let Issued::Asked(find) = asked.clone() else { panic!("they are asked for") };
        let closed = open(Credentials { issued: asked, bearers: None });
        closed.expect(401, Req::get("/tasks")).await;
        closed.expect(401, Req::get("/tasks").h("x-api-key", "AbCdEf0123456789")).await;
        closed.expect(200, Req::get("/health")).await;
        let tried = open(Credentials { issued: Issued::AskedWhereGiven(find), bearers: None });
        tried.expect(200, Req::get("/tasks")).await;
        tried.expect(401, Req::get("/tasks").h("x-api-key", "dbk_unknown_secret")).await;
    });
}

#[test]
fn what_a_gateway_vouches_for_is_who_it_is_and_headers_are_nobody() {
    run(async {
        let rig = Rig::trusting(Backend::memory(), settings(), Credentials::default());
        let said = |json: Value| -> Claims { serde_json::from_value(json).unwrap() };
        let ann = said(json!({"sub": "ann", "org": "red", "scope": "read"}));
        let check = async |status: u16, vouched: Vouched, actor: (&str, Option<&str>), tenant: &str| {
            rig.expect(status, Req::get("/tasks").vouched(vouched.clone())).await;
            let event = rig.last_event().await;
            assert_eq!((event.actor_type.as_str(), event.actor_id.as_deref()), actor, "{vouched:?}");
            assert_eq!(event.tenant, tenant, "{vouched:?}");
        };
        check(200, Vouched::Claims(ann.clone()), ("jwt", Some("ann")), "red").await;
        let custom = said(json!({"principalId": "p", "org": "green", "scope": "write"}));
        check(200, Vouched::Custom(custom), ("custom", Some("p")), "green").await;
        check(403, Vouched::Claims(said(json!({"sub": "ann", "scope": "read"}))), ("anonymous", None), "default").await;
        check(403, Vouched::Claims(said(json!({"sub": "ann", "org": "red"}))), ("anonymous", None), "red").await;
        check(403, Vouched::Iam("arn:aws:iam::1:user/x".to_owned()), ("anonymous", None), "default").await;
        rig.expect(403, Req::post("/tasks", r#"{"task":"t"}"#).vouched(Vouched::Claims(ann))).await;
        for header in ["x-amzn-oidc-data", "x-amzn-oidc-identity", "x-tenant", "x-forwarded-user"] {
            rig.expect(401, Req::get("/tasks").h(header, "ann")).await;
        }
        // IAM says itself what its principals may do; whose data it is must be said.
        let claims = ClaimRules { tenant: Some("ops".to_owned()), ..settings().claims };
        let rig = Rig::trusting(Backend::memory(), Settings { claims, ..settings() }, Credentials::default());
        let create = Req::post("/tasks", r#"{"task":"t"}"#).vouched(Vouched::Iam("arn:aws:iam::1:user/x".to_owned()));
        rig.expect(201, create).await;
        let event = rig.last_event().await;
        assert_eq!((event.actor_type.as_str(), event.tenant.as_str()), ("iam", "ops"));
        assert_eq!(event.actor_id.as_deref(), Some("arn:aws:iam::1:user/x"));
    });
}
