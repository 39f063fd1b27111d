//! The configuration file: what stands in it, what is wrong with it, and what is unwise about it.
//!
//! A file is read into a [`Config`] with every default filled in, or into [`ConfigErrors`] with all its faults, each
//! at its line and column and with what to write instead. Nothing here opens a socket or starts anything; the commands
//! and the node ask it for settings, paths and keys. `config/reference.toml` shows every key with its default.

pub mod advice;
pub mod arbiter;
pub mod changes;
pub mod duration;
pub mod fencing;
pub mod keys;
pub mod measuring;
pub mod programs;
pub mod required;
pub mod secrets;
pub mod size;
pub mod target;

mod error;
mod members;
mod model;
mod read;
mod schema;
mod sections;
#[cfg(test)]
mod tests;
mod who;

use std::path::{Path, PathBuf};

pub use error::{ConfigError, ConfigErrors, Place};
pub use model::{
    Config, Control, LinkKeys, MemberConfig, Negotiation, Screen, Security, SecurityMode, Takeover, Theme,
};
pub use who::WhoError;

/// Where the configuration is when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/tandem/tandem.toml";

/// The file to read: `global_config` (`--config`, which also takes `$TANDEM_CONFIG`), else [`DEFAULT_PATH`].
pub fn locate(global_config: Option<&Path>) -> PathBuf {
    global_config.unwrap_or(Path::new(DEFAULT_PATH)).to_owned()
}
