//! `daybook tail`: the newest events as lines, and those that come.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use event::{Event, EventId, Timestamp};
use query::local::{LocalEngine, Select};
use query::{Cell, Rows};

use crate::cli::TailArgs;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::output::print_or_end;
use crate::place::Place;
use crate::sql::snapshot;
use crate::terminal::{escape, escape_json};

/// How often it is looked for what has come.
const EVERY: Duration = Duration::from_millis(300);
/// How far back it is looked for the newest events, hours, before all of the log is asked.
const WINDOWS: [i64; 3] = [1, 24, 24 * 30];
const HOUR: i64 = 3_600_000_000;

/// Prints the newest events, the last one last; with `--follow`, further ones as they come into the log.
pub async fn run(config: &Config, args: &TailArgs) -> Result<ExitCode> {
    let place = Place::of(config).await?;
    let raw = place.raw();
    // Before the log is read: what comes in between is shown by both and told apart by its id.
    let mut known: HashSet<String> = raw.list(None).await?.into_iter().map(|object| object.key).collect();
    let colour = !args.json && std::io::stdout().is_terminal();
    let newest = newest(&place, args).await?;
    newest.iter().try_for_each(|event| show(event, args, colour))?;
    if !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    let mut shown: HashSet<EventId> = newest.iter().map(|event| event.event_id).collect();
    loop {
        let yesterday = Timestamp::from_micros(place.now().micros() - 24 * HOUR).day();
        for object in raw.list(Some(&yesterday)).await? {
            if known.insert(object.key.clone()) {
                for event in
                    compactor::events(&raw, &object, config.limits).await?.into_iter().filter(|event| args.takes(event))
                {
                    if shown.insert(event.event_id) {
                        show(&event, args, colour)?;
                    }
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// The newest events that are asked for, the oldest of them first.
async fn newest(place: &Place, args: &TailArgs) -> Result<Vec<Event>> {
    if args.lines == 0 {
        return Ok(Vec::new());
    }
    let limits = query::local::Limits { rows: args.lines, ..query::local::Limits::default() };
    let engine = LocalEngine::new(snapshot(&place.lake().await?, &place.raw(), place.now()).await?, limits)?;
    let now = place.now().micros();
    let since = args.since.map(|since| now - i64::try_from(since.as_micros()).unwrap_or(i64::MAX).min(now));
    let windows =
        WINDOWS.map(|hours| now - hours * HOUR).into_iter().filter(|from| since.is_none_or(|since| *from > since));
    let mut rows = None;
    for from in windows.map(Some).chain([since]) {
        let found = engine.select(&Select::parse(&statement(args, from))?).await?;
        let enough = found.rows.len() >= args.lines;
        rows = Some(found);
        if enough {
            break;
        }
    }
    let mut events = rows.as_ref().map_or(Ok(Vec::new()), events_of)?;
    events.reverse();
    Ok(events)
}

/// The question for the newest events since `from`.
fn statement(args: &TailArgs, from: Option<i64>) -> String {
    let line = event::COLUMNS.iter().filter(|column| column.origin == event::Origin::Line);
    let columns: Vec<&str> = line.map(|column| column.name).collect();
    let mut terms = vec!["true".to_owned()];
    if let Some(from) = from {
        let from = Timestamp::from_micros(from).to_string().replace('T', " ").replace('Z', "");
        terms.push(format!("received_at >= cast('{from}' as timestamp)"));
    }
    if let Some((low, high)) = args.statuses() {
        terms.push(format!("status between {low} and {high}"));
    }
    let texts =
        [("method", &args.method), ("user_id", &args.user), ("tenant", &args.tenant), ("event_type", &args.event_type)];
    terms.extend(texts.into_iter().filter_map(|(name, value)| Some(format!("{name} = {}", literal(value.as_ref()?)))));
    terms.extend(args.path.iter().map(|path| format!("strpos(path, {}) > 0", literal(path))));
    let (columns, terms, lines) = (columns.join(", "), terms.join(" and "), args.lines);
    format!("select {columns} from requests where {terms} order by received_at desc, event_id desc limit {lines}")
}

/// Text as SQL has it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Rows of all columns of the line as events.
fn events_of(rows: &Rows) -> Result<Vec<Event>> {
    let event = |row: &Vec<Cell>| {
        let mut line = serde_json::Map::new();
        for (column, cell) in rows.columns.iter().zip(row) {
            let value = match cell {
                Cell::Null => continue,
                Cell::Text(text) => text.as_str().into(),
                Cell::Int(number) => (*number).into(),
                Cell::Float(number) => (*number).into(),
                Cell::Bool(value) => (*value).into(),
                Cell::Timestamp(time) => time.to_string().into(),
            };
            line.insert(column.name.clone(), value);
        }
        let line = serde_json::Value::Object(line).to_string();
        Event::from_line(line.as_bytes()).map_err(Failure::while_("read a row as an event"))
    };
    rows.rows.iter().map(event).collect()
}

fn show(event: &Event, args: &TailArgs, colour: bool) -> Result<()> {
    if args.json {
        let line = String::from_utf8_lossy(&event.to_line()).into_owned();
        return print_or_end(format!("{}\n", escape_json(&line)).as_bytes());
    }
    let query = event.query_string.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let who = event.user_id.as_deref().or(event.actor_id.as_deref()).or(event.client_ip.as_deref()).unwrap_or("-");
    let (status, after) = match (colour, event.status) {
        (false, status) => (format!("{status:03}"), ""),
        (true, status @ 500..) => (format!("\u{1b}[31m{status:03}"), "\u{1b}[0m"),
        (true, status @ 400..) => (format!("\u{1b}[33m{status:03}"), "\u{1b}[0m"),
        (true, status) => (format!("\u{1b}[32m{status:03}"), "\u{1b}[0m"),
    };
    let line = format!(
        "{} {status}{after} {:<7} {} {:.1} ms {} {} {}\n",
        args.zone.millis(event.received_at),
        event.method,
        escape(&format!("{}{query}", event.path)),
        event.duration_ms,
        escape(who),
        escape(&event.event_type),
        event.event_id,
    );
    print_or_end(line.as_bytes())
}

impl TailArgs {
    /// The statuses that are asked for, from and to.
    fn statuses(&self) -> Option<(i32, i32)> {
        let text = self.status.as_deref()?;
        match text.strip_suffix("xx").and_then(|hundreds| hundreds.parse::<i32>().ok()) {
            Some(hundreds) => Some((hundreds * 100, hundreds * 100 + 99)),
            None => text.parse().ok().map(|status| (status, status)),
        }
    }

    /// Whether an event is asked for.
    fn takes(&self, event: &Event) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| wanted.as_deref().is_none_or(|it| Some(it) == value);
        self.statuses().is_none_or(|(low, high)| (low..=high).contains(&event.status))
            && is(&self.method, Some(&event.method))
            && is(&self.user, event.user_id.as_deref())
            && is(&self.tenant, Some(&event.tenant))
            && is(&self.event_type, Some(&event.event_type))
            && self.path.as_deref().is_none_or(|part| event.path.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;

    fn args() -> TailArgs {
        TailArgs {
            lines: 10,
            follow: false,
            since: None,
            status: None,
            method: None,
            path: None,
            user: None,
            tenant: None,
            event_type: None,
            json: false,
            zone: Zone::UTC,
        }
    }

    #[test]
    fn what_is_asked_for_is_text_and_no_sql() {
        let hostile = "x' or true; drop table requests; --";
        let args =
            TailArgs { path: Some(hostile.into()), user: Some("'".into()), status: Some("4xx".into()), ..args() };
        let select = Select::parse(&statement(&args, Some(0))).unwrap();
        assert!(select.as_str().contains("'x'' or true; drop table requests; --'"), "{select:?}");
        assert!(select.as_str().contains("user_id = ''''") && select.as_str().contains("BETWEEN 400 AND 499"));
    }

    #[test]
    fn filters_of_what_comes() {
        let event = Event { status: 404, method: "GET".into(), path: "/a/b".into(), ..Event::default() };
        let takes = |change: fn(&mut TailArgs)| {
            let mut args = args();
            change(&mut args);
            args.takes(&event)
        };
        assert!(takes(|_| ()) && takes(|args| args.status = Some("4xx".into())));
        assert!(takes(|args| args.path = Some("/b".into())) && !takes(|args| args.path = Some("/c".into())));
        assert!(!takes(|args| args.status = Some("405".into())) && !takes(|args| args.user = Some("ann".into())));
    }
}
