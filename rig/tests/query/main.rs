//! The engine on Athena.

mod athena;
mod engine;
