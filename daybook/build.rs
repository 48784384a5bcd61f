//! Tells the program which commit it was built from, where that can be known.

#![expect(clippy::disallowed_methods, reason = "how cargo speaks to a build script")]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=DAYBOOK_COMMIT");
    let named = std::env::var("DAYBOOK_COMMIT").ok().or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    match named.filter(|commit| commit.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        Some(commit) => println!("cargo::rustc-env=DAYBOOK_VERSION={version} ({commit})"),
        None => println!("cargo::rustc-env=DAYBOOK_VERSION={version}"),
    }
}

/// What git says, if it is there and this is a clone.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
