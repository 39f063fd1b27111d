//! The configuration file: schema, defaults, and errors that name the place.

pub mod duration;
