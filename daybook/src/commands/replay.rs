//! `daybook replay`: the state from the log, beside the one that is there or in its place.

use std::path::PathBuf;
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
use crate::replay::{Checked, Difference, Held, Replayed, check, compare, rebuild};
use crate::terminal::{escape, escape_json};

/// Rebuilds, compares, swaps if told to; exit status 1 if the log is broken, or differs from a database that stays.
pub async fn run(config: &Config, args: &ReplayArgs) -> Result<ExitCode> {
    #[cfg(feature = "aws")]
    if config.aws.is_some() {
        return Err(Failure::new("replay is for a folder"));
    }
    let installation = Installation::existing(&config.data, ingest::System::real()).await?;
    let held = Held::of(&installation)?;
    match args.swap {
        true => replace(&installation, &held, args).await,
        false => look(&installation, &held, args.json).await,
    }
}

/// Compares the log's states with those of the database. Neither is changed.
async fn look(installation: &Installation, held: &Held, json: bool) -> Result<ExitCode> {
    let (clock, bar) = (installation.system().monotonic, bar(json));
    let begun = clock();
    let checked = check(installation, held.present()?.as_ref(), |events| bar.set_message(told(events))).await;
    bar.finish_and_clear();
    let Checked { replayed, offender, difference } = checked?;
    let elapsed = Duration::from_micros(clock().saturating_sub(begun));
    let holds = offender.is_none() && difference.as_ref().is_none_or(Difference::is_none);
    Shown { replayed, offender, difference, swapped: None, elapsed }.print(json)?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes a database of the log and puts it in the place of the one that is there.
async fn replace(installation: &Installation, held: &Held, args: &ReplayArgs) -> Result<ExitCode> {
    let (clock, bar) = (installation.system().monotonic, bar(args.json));
    let begun = clock();
    let rebuilt = rebuild(installation, |events| bar.set_message(told(events))).await;
    bar.finish_and_clear();
    let rebuilt = rebuilt?;
    let elapsed = Duration::from_micros(clock().saturating_sub(begun));
    let difference = match held.present()? {
        Some(present) => Some(compare(&present, &rebuilt.reader()?).await?),
        None => None,
    };
    let (replayed, offender) = (rebuilt.replayed, rebuilt.offender.clone());
    let (broken, mut shown) = (offender.is_some(), Shown { replayed, offender, difference, swapped: None, elapsed });
    if broken && !args.force {
        shown.print(args.json)?;
        return Err(Failure::new("nothing was swapped, since the log is broken; --swap --force takes what it gives"));
    }
    shown.swapped = Some(held.swap(&rebuilt, installation.now())?);
    shown.print(args.json)?;
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn told(events: u64) -> String {
    format!("{events} events")
}

fn bar(json: bool) -> ProgressBar {
    if json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} replayed, {elapsed}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

/// What is said in the end.
struct Shown {
    replayed: Replayed,
    offender: Option<String>,
    difference: Option<Difference>,
    /// Whether a new database is in place, and where the old one is kept.
    swapped: Option<Option<PathBuf>>,
    elapsed: Duration,
}

impl Shown {
    fn print(&self, json: bool) -> Result<()> {
        print(if json { self.document() } else { self.text() }.as_bytes())
    }

    fn document(&self) -> String {
        let replayed = self.replayed;
        let difference = self.difference.as_ref().map(|difference| {
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
            "offender": self.offender,
            "present": difference,
            "swapped": self.swapped.is_some(),
            "kept": self.swapped.as_ref().and_then(Option::as_ref).map(|path| path.display().to_string()),
            "events_per_s": per_second(replayed.events, self.elapsed),
            "elapsed_ms": u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
        });
        format!("{}\n", escape_json(&document.to_string()))
    }

    fn text(&self) -> String {
        let replayed = self.replayed;
        let mut out = format!(
            "{} events give {} entities by {} changes, and {} submissions; {:.1} s, {} events/s.\n",
            replayed.events,
            replayed.entities,
            replayed.changes,
            replayed.submissions,
            self.elapsed.as_secs_f64(),
            per_second(replayed.events, self.elapsed),
        );
        if let Some(offender) = &self.offender {
            out += &format!("The log is broken: {}.\n", escape(offender));
        }
        out += &match &self.difference {
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
        out += &match &self.swapped {
            Some(Some(kept)) => format!("It was replaced, and is kept as {}.\n", escape(&kept.display().to_string())),
            Some(None) => "The rebuilt one is in its place.\n".to_owned(),
            None => "Nothing was changed; --swap puts the rebuilt one in its place.\n".to_owned(),
        };
        out
    }
}
