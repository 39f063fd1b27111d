//! Metrics for Prometheus: every number of the status, as text over HTTP on `metrics.listen` (U7).
//!
//! [`text`] turns a status into the page; [`Server`] answers `GET /metrics` with it, on a thread of its own, so that a
//! slow or hostile client costs the controller nothing but a status now and then. Names and units follow Prometheus'
//! conventions: base units (seconds, bytes, ratios from 0 to 1), `_total` for what only grows.

mod families;
mod page;
mod server;

pub use page::Format;
pub use server::{Server, ServerError};

use crate::control::status::Status;

/// The page of `status`, in `format`.
pub fn text(status: &Status, format: Format) -> String {
    let mut page = page::Page::new(format);
    families::write(&mut page, status);
    page.finish()
}
