//! What a month on AWS costs: a pure function of how much is done, what each thing was measured to take, and the list
//! prices.

mod data;

use data::{Function, Operation};
pub use data::{Measured, Prices};

/// Days of the month that is reckoned.
const DAYS: f64 = 30.0;
const SECONDS_A_DAY: f64 = 86_400.0;
const GB: f64 = 1e9;
/// Firehose counts each record in steps of 5 KB.
const FIREHOSE_STEP: f64 = 5_120.0;

/// Which kind of API stands before the ingest function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Frontend {
    /// API Gateway's REST API: keys, quotas, WAF, its own log.
    Rest,
    /// Its HTTP API.
    Http,
}

/// What is done in a month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// Changes of entities that are there.
    pub changes: f64,
    /// Entities that are made.
    pub creates: f64,
    /// Submissions.
    pub submissions: f64,
    /// Reads.
    pub reads: f64,
    /// Requests that are refused.
    pub refusals: f64,
    /// What stands in front.
    pub frontend: Frontend,
}

impl Workload {
    fn requests(&self) -> f64 {
        self.changes + self.creates + self.submissions + self.reads + self.refusals
    }
}

/// One line of the bill.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Who charges.
    pub service: &'static str,
    /// For what.
    pub what: &'static str,
    /// How much of it.
    pub quantity: f64,
    /// In what it is counted.
    pub unit: &'static str,
    /// US dollars.
    pub usd: f64,
}

/// The bill of a month.
pub fn bill(workload: &Workload, measured: &Measured, prices: &Prices) -> Vec<Item> {
    let mut bill = Bill::default();
    let day = Day::of(workload, measured);
    bill.gateway(workload, prices);
    bill.functions(workload, &day, measured, prices);
    bill.store(workload, measured, prices);
    bill.log(workload, &day, measured, prices);
    bill.items
}

/// The sum of a bill, US dollars.
pub fn total(bill: &[Item]) -> f64 {
    bill.iter().map(|item| item.usd).sum()
}

/// What happens by the clock as long as there is any traffic; nothing does without.
struct Day {
    /// Days with traffic.
    days: f64,
    /// Lines of the month.
    lines: f64,
    /// Lines that come by the relay.
    relayed: f64,
}

impl Day {
    fn of(workload: &Workload, measured: &Measured) -> Self {
        let lines = workload.requests();
        let direct = counted(workload, measured, |operation| if operation.direct { 1.0 } else { 0.0 });
        Self { days: if lines > 0.0 { DAYS } else { 0.0 }, lines, relayed: lines - direct }
    }
}

#[derive(Default)]
struct Bill {
    items: Vec<Item>,
}

impl Bill {
    fn add(&mut self, service: &'static str, what: &'static str, quantity: f64, unit: &'static str, price: f64) {
        self.items.push(Item { service, what, quantity, unit, usd: quantity * price });
    }

    fn gateway(&mut self, workload: &Workload, prices: &Prices) {
        let (what, price) = match workload.frontend {
            Frontend::Rest => ("REST API", prices.api_gateway_rest_million),
            Frontend::Http => ("HTTP API", prices.api_gateway_http_million),
        };
        self.add("API Gateway", what, workload.requests() / 1e6, "million requests", price);
    }

    fn functions(&mut self, workload: &Workload, day: &Day, measured: &Measured, prices: &Prices) {
        let compactor = &measured.compactor;
        let runs = compactor.runs_a_day * day.days;
        let relayed = day.relayed / measured.relay.lines_per_invocation;
        let compacted = runs * compactor.billed_ms_per_run + day.lines / 1e3 * compactor.billed_ms_per_thousand_lines;
        let seconds = |function: &Function, invocations: f64| {
            invocations * function.billed_ms / 1e3 * function.memory_mb / 1_024.0
        };
        let gb_seconds = seconds(&measured.ingest, workload.requests())
            + seconds(&measured.relay.function, relayed)
            + compacted / 1e3 * compactor.memory_mb / 1_024.0;
        let invocations = workload.requests() + relayed + runs;
        self.add("Lambda", "invocations", invocations / 1e6, "million", prices.lambda_million_requests);
        self.add("Lambda", "compute", gb_seconds, "GB-seconds", prices.lambda_gb_second);
        let logged = workload.requests() * measured.ingest.log_bytes
            + relayed * measured.relay.function.log_bytes
            + runs * compactor.log_bytes_per_run;
        self.add("CloudWatch", "logs and metrics", logged / GB, "GB", prices.logs_gb);
    }

    fn store(&mut self, workload: &Workload, measured: &Measured, prices: &Prices) {
        let written = counted(workload, measured, |operation| operation.write_units) / 1e6;
        let read = counted(workload, measured, |operation| operation.read_units) / 1e6;
        let stored = counted(workload, measured, |operation| operation.stored_bytes) / GB;
        self.add("DynamoDB", "writes", written, "million write units", prices.dynamodb_million_write_units);
        self.add("DynamoDB", "reads", read, "million read units", prices.dynamodb_million_read_units);
        let charged = (stored - prices.dynamodb_free_gb).max(0.0);
        self.add("DynamoDB", "storage", charged, "GB-months", prices.dynamodb_gb_month);
    }

    fn log(&mut self, workload: &Workload, day: &Day, measured: &Measured, prices: &Prices) {
        let line = measured.line_bytes;
        let direct = (day.lines - day.relayed) * (line / FIREHOSE_STEP).ceil() * FIREHOSE_STEP;
        let packs = day.relayed / measured.relay.lines_per_invocation;
        let pack = (line * measured.relay.lines_per_invocation / FIREHOSE_STEP).ceil() * FIREHOSE_STEP;
        self.add("Firehose", "ingestion", (direct + packs * pack) / GB, "GB", prices.firehose_gb);

        let compactor = &measured.compactor;
        let (runs, commits) = (compactor.runs_a_day * day.days, compactor.commits_a_day * day.days);
        // A stream writes an object when its buffer is old enough, if anything came meanwhile.
        let objects = (day.days * SECONDS_A_DAY / measured.firehose.seconds_per_object).min(workload.requests());
        let puts = objects + commits * compactor.puts_per_commit + runs * compactor.lists_per_run;
        let gets = objects + commits * compactor.gets_per_commit + runs * compactor.gets_per_run;
        self.add("S3", "writes and listings", puts / 1e3, "thousand", prices.s3_thousand_puts);
        self.add("S3", "reads", gets / 1e3, "thousand", prices.s3_thousand_gets);
        let kept = day.lines * (measured.raw_bytes_per_line + measured.table_bytes_per_line) / GB;
        self.add("S3", "storage", kept, "GB-months", prices.s3_gb_month);
        let glue = (runs * compactor.glue_requests_per_run / 1e6 - prices.glue_free_million_requests).max(0.0);
        self.add("Glue", "catalog", glue, "million requests", prices.glue_million_requests);
    }
}

/// A quantity summed over all that is done.
fn counted(workload: &Workload, measured: &Measured, of: impl Fn(&Operation) -> f64) -> f64 {
    let operations = &measured.operations;
    workload.changes * of(&operations.change)
        + workload.creates * of(&operations.create)
        + workload.submissions * of(&operations.submission)
        + workload.reads * of(&operations.read)
        + workload.refusals * of(&operations.refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> (Measured, Prices) {
        (Measured::load().unwrap(), Prices::load().unwrap())
    }

    const NOTHING: Workload =
        Workload { changes: 0.0, creates: 0.0, submissions: 0.0, reads: 0.0, refusals: 0.0, frontend: Frontend::Rest };

    #[test]
    fn nothing_costs_nothing() {
        let (measured, prices) = data();
        assert!(total(&bill(&NOTHING, &measured, &prices)).abs() < 1e-9);
    }

    #[test]
    fn a_million_changes_cost_at_most_6_60() {
        let (measured, prices) = data();
        let total = total(&bill(&Workload { changes: 1e6, ..NOTHING }, &measured, &prices));
        assert!((4.0..=6.6).contains(&total), "{total}");
    }

    #[test]
    fn every_line_follows_its_quantity() {
        let (measured, prices) = data();
        let once = bill(&Workload { changes: 1e9, ..NOTHING }, &measured, &prices);
        let twice = bill(&Workload { changes: 2e9, ..NOTHING }, &measured, &prices);
        for (once, twice) in once.iter().zip(&twice) {
            assert!(twice.usd >= once.usd && twice.usd <= 2.1 * once.usd, "{once:?} {twice:?}");
        }
        let http = bill(&Workload { changes: 1e6, frontend: Frontend::Http, ..NOTHING }, &measured, &prices);
        assert!((http[0].usd - 1.0).abs() < 1e-9, "{:?}", http[0]);
    }
}
