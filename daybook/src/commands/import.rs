//! `daybook import`: the logs that a team already has become events.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::compact::per_second;
use crate::cli::ImportArgs;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::import::{Import, Imported, Maker, Origin, Reader};
use crate::installation::Installation;
use crate::output::{print, table};
use crate::terminal::escape;

/// Imports each file and says what came of it; exit status 1 if one could not be read to its end.
pub async fn run(config: &Config, args: &ImportArgs) -> Result<ExitCode> {
    let system = ingest::System::real();
    let begun = (system.monotonic)();
    let names = args.files.iter().map(|file| source(args, file)).collect::<Result<Vec<_>>>()?;
    let installation = Installation::at(&config.data, system)?;
    installation.prepare().await?;
    let (redactor, id_key) = (installation.redactor(&config.mask)?, installation.key("import")?);
    let bar = bar(args);
    let mut import = Import::new(installation.raw(), installation.now(), config.limits.line_bytes, args.limit).await?;
    let mut before = 0;
    for (file, source) in args.files.iter().zip(names) {
        let settings = ingest::Settings::default();
        let origin = Origin {
            source,
            service: args.service.clone().unwrap_or(settings.service),
            version: settings.service_version,
            environment: config.environment.clone(),
            tenant: args.tenant.clone(),
        };
        let maker = Maker::new(origin, redactor.clone(), id_key).map_err(Failure::new)?;
        let report = |bytes, lines| {
            bar.set_position(before + bytes);
            bar.set_message(format!("{lines} lines"));
        };
        import.add(file, maker, Reader::new(args.format), report).await?;
        before += size(file);
    }
    bar.finish_and_clear();
    let elapsed = Duration::from_micros((system.monotonic)().saturating_sub(begun));
    show(&import.done, elapsed, args.json)?;
    match &import.done.broken {
        Some(broken) => Err(Failure::new(format!("{broken}; what came before is imported"))),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// What the log is called: the file's name, whatever it is compressed with.
fn source(args: &ImportArgs, file: &Path) -> Result<String> {
    if let Some(source) = &args.source {
        return Ok(source.clone());
    }
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name == "-" || name.is_empty() {
        return Err(Failure::new("standard input has no name; say what log it is with --source"));
    }
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    Ok(plain.to_owned())
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.len())
}

/// A bar on standard error; indicatif shows none unless that is a terminal.
fn bar(args: &ImportArgs) -> ProgressBar {
    if args.json {
        return ProgressBar::hidden();
    }
    let style = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}; {msg}; {eta} left";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(args.files.iter().map(|file| size(file)).sum()).with_style(style)
}

fn show(done: &Imported, elapsed: Duration, json: bool) -> Result<()> {
    if !json {
        return print(text(done, elapsed).as_bytes());
    }
    print(format!("{}\n", crate::terminal::escape_json(&sums(done, elapsed).to_string())).as_bytes())
}

fn sums(done: &Imported, elapsed: Duration) -> serde_json::Value {
    json!({
        "lines": done.lines,
        "events": done.events,
        "new": done.events - done.known,
        "known": done.known,
        "quarantined": done.quarantined,
        "bad": done.bad,
        "objects": done.objects,
        "bytes_out": done.bytes_out,
        "events_per_s": per_second(done.events, elapsed),
        "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    })
}

fn text(done: &Imported, elapsed: Duration) -> String {
    let mut out = String::new();
    if !done.bad.is_empty() {
        let mut lines = table(&["log", "line", "reason", "begins with"]);
        for line in &done.bad {
            let log = line.raw_object.strip_prefix("import/").unwrap_or(&line.raw_object);
            let content: String = String::from_utf8_lossy(&line.content()).chars().take(60).collect();
            lines.add_row([&escape(log), &line.line.to_string(), &escape(&line.reason), &escape(&content)]);
        }
        let more = done.quarantined - done.bad.len() as u64;
        let more = if more > 0 { format!("{more} more; daybook quarantine list shows all.\n") } else { String::new() };
        out = format!("{lines}\n{more}");
    }
    let new = done.events - done.known;
    out += &format!(
        "{} lines: {new} events in {} new raw objects, {} known already, {} quarantined; {:.1} s, {} events/s.\n",
        done.lines,
        done.objects,
        done.known,
        done.quarantined,
        elapsed.as_secs_f64(),
        per_second(done.events, elapsed),
    );
    if done.objects > 0 {
        out += "They are in the raw log; daybook compact brings them into the table.\n";
    }
    out
}
