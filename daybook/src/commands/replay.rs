//! `daybook replay`: the state from the log, beside the one that is there or in its place.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::compact::per_second;
use crate::cli::ReplayArgs;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::output::print;
use crate::replay::{Difference, Held, Rebuilt, compare, rebuild};
use crate::terminal::{escape, escape_json};

/// Rebuilds, compares, swaps if told to; exit status 1 if the log is broken, or differs from a database that stays.
pub async fn run(config: &Config, args: &ReplayArgs) -> Result<ExitCode> {
    #[cfg(feature = "aws")]
    if config.aws.is_some() {
        return Err(Failure::new("replay is for a folder"));
    }
    let system = ingest::System::real();
    let installation = Installation::existing(&config.data, system).await?;
    let begun = (system.monotonic)();
    let held = Held::of(&installation)?;
    let bar = bar(args.json);
    let rebuilt = rebuild(&installation, |events| bar.set_message(format!("{events} events"))).await;
    bar.finish_and_clear();
    let rebuilt = rebuilt?;
    let elapsed = Duration::from_micros((system.monotonic)().saturating_sub(begun));
    let difference = match held.present()? {
        Some(present) => Some(compare(&present, &rebuilt.reader()?).await?),
        None => None,
    };
    if args.swap && rebuilt.offender.is_some() && !args.force {
        show(&rebuilt, difference.as_ref(), None, elapsed, args.json)?;
        return Err(Failure::new("nothing was swapped, since the log is broken; --swap --force takes what it gives"));
    }
    let kept = if args.swap { Some(held.swap(&rebuilt, installation.now())?) } else { None };
    show(&rebuilt, difference.as_ref(), kept.as_ref().map(Option::as_deref), elapsed, args.json)?;
    let stays_wrong = !args.swap && difference.is_some_and(|difference| !difference.is_none());
    Ok(if rebuilt.offender.is_some() || stays_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn bar(json: bool) -> ProgressBar {
    if json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} replayed, {elapsed}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn show(
    rebuilt: &Rebuilt,
    difference: Option<&Difference>,
    swapped: Option<Option<&Path>>,
    elapsed: Duration,
    json: bool,
) -> Result<()> {
    let text = if json {
        document(rebuilt, difference, swapped, elapsed)
    } else {
        text(rebuilt, difference, swapped, elapsed)
    };
    print(text.as_bytes())
}

fn document(
    rebuilt: &Rebuilt,
    difference: Option<&Difference>,
    swapped: Option<Option<&Path>>,
    elapsed: Duration,
) -> String {
    let replayed = rebuilt.replayed;
    let difference = difference.map(|difference| {
        json!({
            "equal": difference.equal,
            "missing": difference.missing,
            "surplus": difference.surplus,
            "different": difference.different,
            "first": difference.first,
        })
    });
    let document = json!({
        "events": replayed.events,
        "changes": replayed.changes,
        "entities": replayed.entities,
        "submissions": replayed.submissions,
        "offender": rebuilt.offender,
        "present": difference,
        "swapped": swapped.is_some(),
        "kept": swapped.flatten().map(|path| path.display().to_string()),
        "events_per_s": per_second(replayed.events, elapsed),
        "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    });
    format!("{}\n", escape_json(&document.to_string()))
}

fn text(
    rebuilt: &Rebuilt,
    difference: Option<&Difference>,
    swapped: Option<Option<&Path>>,
    elapsed: Duration,
) -> String {
    let replayed = rebuilt.replayed;
    let mut out = format!(
        "{} events give {} entities by {} changes, and {} submissions; {:.1} s, {} events/s.\n",
        replayed.events,
        replayed.entities,
        replayed.changes,
        replayed.submissions,
        elapsed.as_secs_f64(),
        per_second(replayed.events, elapsed),
    );
    if let Some(offender) = &rebuilt.offender {
        out += &format!("The log is broken: {}.\n", escape(offender));
    }
    out += &match difference {
        None => "There is no database to compare with.\n".to_owned(),
        Some(Difference { first: None, equal, .. }) => format!("The database has the same {equal} entities.\n"),
        Some(difference) => format!(
            "The database differs: {} entities are equal, {} missing, {} not in the log, {} different; first {}.\n",
            difference.equal,
            difference.missing,
            difference.surplus,
            difference.different,
            escape(difference.first.as_deref().unwrap_or_default()),
        ),
    };
    out += &match swapped {
        Some(Some(kept)) => format!("It was replaced, and is kept as {}.\n", escape(&kept.display().to_string())),
        Some(None) => "The rebuilt one is in its place.\n".to_owned(),
        None => "Nothing was changed; --swap puts the rebuilt one in its place.\n".to_owned(),
    };
    out
}
