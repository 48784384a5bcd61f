//! The whole machine: the program as it is installed, from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "a test has a clock, an environment and a voice")]

mod answers;
mod cli;
mod crash;
mod damage;
mod edge;
mod faults;
mod house;
mod kills;
mod month;
mod notices;
mod octokit;
mod power;
mod retention;
mod stop;
mod support;
