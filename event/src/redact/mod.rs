//! Masks secrets before an event exists.
