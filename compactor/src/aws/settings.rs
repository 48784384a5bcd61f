//! The function's settings, from variables that are read once.

use bytesize::ByteSize;
use cloud::{Env, Refusal};

use crate::decode::Limits;
use crate::plan::Options;

/// Of the function's memory, what a run may take, in quarters; `rig/memory` measures it. The rest is for the runtime and
/// for uploads that are under way.
const RUN_SHARE: u64 = 3;
/// A function with so many MB has one processor, and one more with each further time.
const MB_OF_A_PROCESSOR: usize = 1_769;
/// A commit takes in so many stored bytes: little, so that one more fits into the time that is left.
const COMMIT_BYTES: u64 = 64 << 20;
/// A line is held in memory as a whole.
const MAX_LINE: u64 = 1 << 30;

/// What the function works on, and how.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) bucket: String,
    pub(super) database: String,
    pub(super) options: Options,
}

impl Settings {
    /// # Errors
    /// A variable is missing or makes no sense.
    pub(super) fn of(env: &Env) -> Result<Self, Refusal> {
        let defaults = Options::default();
        let size = |text: &str| text.parse::<ByteSize>().map_err(|_| format!("{text:?} is no size; write 128MiB"));
        let wait = |text: &str| humantime::parse_duration(text).map_err(|_| format!("{text:?} is no time; write 60m"));
        let bytes = |name| env.read(name, size).map(|size| size.map(|size| size.as_u64()));
        let max_line = |text: &str| match size(text)?.as_u64() {
            bytes @ 1..=MAX_LINE => usize::try_from(bytes).map_err(|error| error.to_string()),
            _ => Err(format!("{text:?} is not between 1B and 1GiB")),
        };
        let line_bytes = env.read("DAYBOOK_MAX_LINE", max_line)?.unwrap_or(defaults.limits.line_bytes);
        let megabytes = env.number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 512_usize)?;
        let function = (megabytes as u64) << 20;
        Ok(Self {
            bucket: env.required("DAYBOOK_BUCKET", "the bucket of the raw objects and the lake")?.to_owned(),
            database: env.required("DAYBOOK_DATABASE", "the Glue database of the table requests")?.to_owned(),
            options: Options {
                memory: bytes("DAYBOOK_MEMORY")?.unwrap_or(function / 4 * RUN_SHARE),
                threads: megabytes.div_ceil(MB_OF_A_PROCESSOR),
                commit_bytes: bytes("DAYBOOK_COMMIT_BYTES")?.unwrap_or(COMMIT_BYTES),
                min_bytes: bytes("DAYBOOK_COMPACT_MIN")?.unwrap_or(defaults.min_bytes),
                max_wait: env.read("DAYBOOK_COMPACT_WAIT", wait)?.unwrap_or(defaults.max_wait),
                limits: Limits { line_bytes, ..defaults.limits },
                settle: env.read("DAYBOOK_GATEWAY_SETTLE", wait)?.unwrap_or(defaults.settle),
                ..defaults
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NEEDED: [(&str, &str); 2] = [("DAYBOOK_BUCKET", "b"), ("DAYBOOK_DATABASE", "d")];

    #[test]
    fn memory_follows_the_function_unless_it_is_set() {
        let of = |more: &[(&'static str, &'static str)]| Settings::of(&Env::of(NEEDED.iter().chain(more).copied()));
        assert_eq!(of(&[]).unwrap().options.memory, 384 << 20);
        assert_eq!(of(&[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")]).unwrap().options.memory, 768 << 20);
        let set = of(&[
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"),
            ("DAYBOOK_MEMORY", "64 MiB"),
            ("DAYBOOK_COMPACT_MIN", "1MiB"),
            ("DAYBOOK_COMPACT_WAIT", "5m"),
            ("DAYBOOK_GATEWAY_SETTLE", "25h"),
            ("DAYBOOK_MAX_LINE", "16MiB"),
        ]);
        let options = set.unwrap().options;
        assert_eq!((options.memory, options.min_bytes), (64 << 20, 1 << 20));
        assert_eq!((options.limits.line_bytes, of(&[]).unwrap().options.limits.line_bytes), (16 << 20, 8 << 20));
        assert_eq!((options.max_wait, options.settle), (Duration::from_secs(300), Duration::from_secs(25 * 3_600)));
    }

    #[test]
    fn refuses_in_one_line() {
        let check = |variables: &[(&'static str, &'static str)], expect: &str| {
            let refusal = Settings::of(&Env::of(variables.iter().copied())).unwrap_err().to_string();
            assert!(refusal.starts_with(expect) && !refusal.contains('\n'), "{refusal}");
        };
        check(&NEEDED[1..], "DAYBOOK_BUCKET is not set");
        check(&NEEDED[..1], "DAYBOOK_DATABASE is not set");
        check(&[NEEDED[0], NEEDED[1], ("DAYBOOK_MEMORY", "much")], "DAYBOOK_MEMORY: \"much\" is no size");
        check(&[NEEDED[0], NEEDED[1], ("DAYBOOK_MAX_LINE", "0")], "DAYBOOK_MAX_LINE: \"0\" is not between");
        check(&[NEEDED[0], NEEDED[1], ("DAYBOOK_COMPACT_WAIT", "5")], "DAYBOOK_COMPACT_WAIT: \"5\" is no time");
    }
}
