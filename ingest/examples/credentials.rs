//! What it costs to find out who is asking, by kind of credential, beside a whole request on a store that keeps nothing.
//!
//! `credentials [SECONDS]`: each line is measured for so long (1 unless said), in turns, and the best of five counts. The time
//! is this thread's on a core, as Linux counts it: what else the machine does counts as little as can be.

#![expect(clippy::print_stdout, reason = "it says what it has measured")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use bytes::Bytes;
use event::EventIds;
use event::redact::{Redactor, Rules};
use http::{HeaderMap, HeaderName, HeaderValue};
use ingest::assets::memory::MemoryAssets;
use ingest::http::auth::key::{Minted, Wanted};
use ingest::http::auth::{ApiKey, BearerRules, Bearers, ClaimRules, Credentials, Gate, Issued, KnownKeys, Scope};
use ingest::http::cursor::Cursors;
use ingest::http::rates::{Rate, RateSettings};
use ingest::http::{Received, ReceivedBody};
use ingest::store::noop::NoopStore;
use ingest::{Api, Parts, Settings, System};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::json;

type Done<T> = Result<T, Box<dyn Error>>;
/// A piece of work, and what it is called.
type Case<'a> = (String, Box<dyn Fn() + 'a>);

const ROUNDS: usize = 5;
/// Keys beside the one that is asked for.
const KEYS: usize = 1_000;

fn main() -> Done<()> {
    let seconds: f64 = std::env::args().nth(1).map_or(Ok(1.0), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let made = Minted::new(wanted("bench"), System::real())?;
    let (tokens, jwks) = tokens()?;
    let (plain, keyed) = (api(None, false)?, api(Some(&made), false)?);
    let limited = api(Some(&made), true)?;
    let gate = gate(&made, jwks)?;
    let key = HeaderValue::from_str(&made.text)?;
    let mut cases: Vec<Case<'_>> = Vec::new();
    let runtime = &runtime;
    let gate = &gate;
    for (name, api, key) in [
        ("POST /data, nobody asked for a key", &plain, None),
        ("POST /data, with a key", &keyed, Some(&key)),
        ("POST /data, with a key and two rates", &limited, Some(&key)),
    ] {
        cases.push((
            name.to_owned(),
            Box::new(move || {
                let received = request(key.map(|key| ("x-api-key", key.clone())));
                assert_eq!(runtime.block_on(api.handle(received)).status(), 201);
            }),
        ));
    }
    let alone = |name: String, header: &'static str, value: HeaderValue| {
        let received = request(Some((header, value)));
        let ask = move || assert!(runtime.block_on(gate.identify(&received)).is_ok());
        (name, Box::new(ask) as Box<dyn Fn() + '_>)
    };
    cases.push(alone(format!("the key alone, one of {KEYS}"), "x-api-key", key.clone()));
    for (algorithm, token) in tokens {
        let value = HeaderValue::from_str(&format!("Bearer {token}"))?;
        cases.push(alone(format!("a token alone, {algorithm}"), "authorization", value));
    }
    measure(&cases, Duration::from_secs_f64(seconds / ROUNDS as f64));
    Ok(())
}

/// Measures in turns, so that what else the machine does hits all alike.
fn measure(cases: &[Case<'_>], turn: Duration) {
    let mut best = vec![f64::MAX; cases.len()];
    for _ in 0..ROUNDS {
        for (best, (_, work)) in best.iter_mut().zip(cases) {
            let (begun, on_core, mut count) = (Instant::now(), on_core(), 0_u32);
            while begun.elapsed() < turn {
                (0..16).for_each(|_| work());
                count += 16;
            }
            *best = best.min((self::on_core() - on_core) / f64::from(count));
        }
    }
    // The first is the whole that the others are a part of, or more than.
    let whole = best.first().copied().unwrap_or(f64::NAN);
    for (best, (name, _)) in best.iter().zip(cases) {
        println!("{best:9.2} µs  {:6.1} %  {name}", best / whole * 100.0);
    }
}

/// Microseconds that this thread has had a core.
fn on_core() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1_000.0
}

fn wanted(id: &str) -> Wanted {
    Wanted { id: Some(id.to_owned()), tenant: "bench".to_owned(), scope: Scope::Write, expires_at: None }
}

fn known(made: &Minted) -> Done<Issued> {
    let others = (0..KEYS).map(|n| Minted::new(wanted(&format!("k{n}")), System::real()).map(|minted| minted.key));
    let mut keys: Vec<ApiKey> = others.collect::<Result<_, _>>()?;
    keys.push(made.key.clone());
    let known = KnownKeys::default();
    known.set(keys);
    Ok(Issued::Known(Arc::new(known)))
}

fn api(made: Option<&Minted>, limited: bool) -> Done<Api> {
    let rate = Some(Rate { per_second: 1_000_000_000.try_into()?, burst: 1_000_000_000.try_into()? });
    let rates = if limited { RateSettings { per_key: rate, per_address: rate } } else { RateSettings::default() };
    let credentials = Credentials { issued: made.map_or(Ok(Issued::Nowhere), known)?, bearers: None };
    let nothing = Arc::new(NoopStore);
    Ok(Api::new(Parts {
        settings: Settings { rates, ..Settings::default() },
        redactor: Redactor::new([7; 32], Rules::default())?,
        cursors: Cursors::new([9; 32]),
        ids: EventIds::default(),
        system: System::real(),
        store: Arc::clone(&nothing) as _,
        sink: nothing,
        assets: Arc::new(MemoryAssets::default()),
        queries: None,
        credentials,
    }))
}

fn gate(made: &Minted, jwks: String) -> Done<Gate> {
    let rules =
        BearerRules { issuer: "https://issuer.example".to_owned(), audiences: vec!["web".to_owned()], leeway: 60 };
    let fetch = Arc::new(move || {
        let jwks = jwks.clone();
        Box::pin(async move { Ok(jwks) }) as futures::future::BoxFuture<'static, ingest::Result<String>>
    });
    let bearers = Some(Arc::new(Bearers::new(rules, fetch, System::real())));
    let claims = ClaimRules { tenant_claim: Some("org".to_owned()), ..ClaimRules::default() };
    let settings = Settings { claims, ..Settings::default() };
    Ok(Gate::new(&settings, Credentials { issued: known(made)?, bearers }))
}

fn request(header: Option<(&'static str, HeaderValue)>) -> Received {
    let mut headers = HeaderMap::new();
    for (name, value) in [("content-type", "application/json"), ("user-agent", "bench"), ("host", "127.0.0.1:3000")] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some((name, value)) = header {
        headers.insert(HeaderName::from_static(name), value);
    }
    let system = System::real();
    Received {
        arrival: ingest::http::Arrival { received_at: (system.now)(), started: (system.monotonic)() },
        method: "POST".to_owned(),
        mount: String::new(),
        path: "/data".to_owned(),
        query: None,
        headers,
        body: ReceivedBody::Whole(Bytes::from_static(br#"{"user_id":"1234","message":"New record submission"}"#)),
        client_ip: Some("192.0.2.1".to_owned()),
        protocol: Some("HTTP/1.1".to_owned()),
        request_id: None,
        invocation_id: None,
        cold_start: None,
        vouched: None,
    }
}

/// A token of each kind, and the keys that they are checked with.
fn tokens() -> Done<(Vec<(&'static str, String)>, String)> {
    let random = SystemRandom::new();
    let rsa =
        RsaKeyPair::from_pkcs8(include_bytes!("../testdata/jwt/rsa-2048.pk8")).map_err(|error| error.to_string())?;
    let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(|_| "no key")?;
    let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).map_err(|_| "no key")?;
    let ed = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| "no key")?;
    let ed = Ed25519KeyPair::from_pkcs8(ed.as_ref()).map_err(|_| "no key")?;
    let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(rsa.public());
    let point = ec.public_key().as_ref();
    let jwks = json!({"keys": [
        {"kty": "RSA", "kid": "RS256", "n": B64.encode(public.n), "e": B64.encode(public.e)},
        {"kty": "EC", "kid": "ES256", "crv": "P-256", "x": B64.encode(&point[1..33]), "y": B64.encode(&point[33..])},
        {"kty": "OKP", "kid": "EdDSA", "crv": "Ed25519", "x": B64.encode(ed.public_key())},
    ]});
    let now = (System::real().now)().seconds();
    let claims = json!({
        "iss": "https://issuer.example", "aud": "web", "sub": "019aa0c5-6f8b-7000-8000-000000000000", "org": "bench",
        "exp": now + 86_400, "iat": now, "token_use": "id", "email": "ann@example.org",
    });
    let mut tokens = Vec::new();
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let header = json!({"alg": algorithm, "kid": algorithm, "typ": "JWT"});
        let message = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
        let signature = match algorithm {
            "RS256" => {
                let mut signature = vec![0; rsa.public().modulus_len()];
                rsa.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).map_err(|_| "no signature")?;
                signature
            }
            "ES256" => ec.sign(&random, message.as_bytes()).map_err(|_| "no signature")?.as_ref().to_vec(),
            _ => ed.sign(message.as_bytes()).as_ref().to_vec(),
        };
        tokens.push((algorithm, format!("{message}.{}", B64.encode(signature))));
    }
    Ok((tokens, jwks.to_string()))
}
