//! Who sends requests: each user from the same address, with the same program and credential.

use super::random::{Random, Zipf};

const USERS: u64 = 50_000;
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "python-requests/2.32.5",
    "okhttp/5.1.0",
    "Go-http-client/2.0",
    "axios/1.13.2",
    "curl/8.16.0",
    "Shop-Android/4.12.1 (Android 16; Pixel 9)",
    "Shop-iOS/4.12.0 (iOS 18.7; iPhone17,1)",
];
const LANGUAGES: &[&str] = &["en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.7", "pt-BR,pt;q=0.9", "ja,en;q=0.5"];

/// A user, and what the log gets to know of them.
#[derive(Debug)]
pub struct Client {
    pub user: String,
    pub tenant: String,
    pub actor_type: &'static str,
    pub actor: Option<String>,
    pub address: String,
    pub agent: &'static str,
    pub language: &'static str,
}

/// All users, drawn by Zipf's law.
#[derive(Debug)]
pub struct Clients(Zipf);

impl Clients {
    pub fn new() -> Self {
        Self(Zipf::new(USERS))
    }

    pub fn draw(&self, random: &mut Random) -> Client {
        let rank = self.0.draw(random) as u64;
        // Everything about a user follows from the rank.
        let mut traits = Random::new(rank.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let user = format!("user-{:06x}", traits.below(1 << 24));
        let tenant = format!("tenant-{:02}", rank % 40);
        let (actor_type, actor) = match traits.below(20) {
            0..=12 => ("api_key", Some(format!("key-{tenant}-{}", traits.below(4)))),
            13..=18 => ("jwt", Some(user.clone())),
            _ => ("anonymous", None),
        };
        let net = traits.one_of(&["203.0.113", "198.51.100", "192.0.2", "100.64.7"]);
        Client {
            tenant: if actor.is_some() { tenant } else { "default".to_owned() },
            actor_type,
            actor,
            address: format!("{net}.{}", traits.below(254)),
            agent: traits.one_of(AGENTS),
            language: traits.one_of(LANGUAGES),
            user,
        }
    }
}
