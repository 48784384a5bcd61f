//! What the API is about: commands become events, events become state.
