//! `daybook doctor`: what is wrong here, and how to mend it.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::DoctorArgs;
use crate::config::Config;
use crate::doctor::{Finding, Grade, examine};
use crate::failure::Result;
use crate::output::{print, table};
use crate::terminal::{escape, escape_json};

/// Examines the installation; exit status 1 if something is broken.
pub async fn run(config: &Config, args: &DoctorArgs) -> Result<ExitCode> {
    let findings = examine(config).await;
    let text = if args.json { document(&findings) } else { text(&findings) };
    print(text.as_bytes())?;
    Ok(match worst(&findings) {
        Grade::Broken => ExitCode::FAILURE,
        Grade::Fine | Grade::Warning => ExitCode::SUCCESS,
    })
}

fn worst(findings: &[Finding]) -> Grade {
    findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Fine)
}

fn document(findings: &[Finding]) -> String {
    let finding = |finding: &Finding| {
        json!({
            "check": finding.check,
            "grade": finding.grade.name(),
            "found": finding.found,
            "mend": (!finding.mend.is_empty()).then_some(&finding.mend),
        })
    };
    let checks: Vec<_> = findings.iter().map(finding).collect();
    let document =
        json!({"healthy": worst(findings) == Grade::Fine, "worst": worst(findings).name(), "checks": checks});
    format!("{}\n", escape_json(&document.to_string()))
}

fn text(findings: &[Finding]) -> String {
    let mut lines = table(&["check", "", "what was found", "what to do"]);
    for finding in findings {
        lines.add_row([finding.check, finding.grade.name(), &escape(&finding.found), &escape(&finding.mend)]);
    }
    let verdict = match worst(findings) {
        Grade::Fine => "Nothing is wrong; daybook verify proves that log, table and state agree.",
        Grade::Warning => "It works; look at the warnings.",
        Grade::Broken => "Something is broken; mend that first.",
    };
    format!("{lines}\n{verdict}\n")
}
