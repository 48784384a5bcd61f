//! What every part on AWS has in common: how the SDK is set up, and later what an invocation needs.
//!
//! Stages meet at data; what they share here is the ground under them, not their work.

pub mod sdk;
