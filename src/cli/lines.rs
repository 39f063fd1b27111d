//! Lines for whoever runs a command. The reader may be gone by then (`2>&1 | head`, a closed terminal), and the standard
//! library's own macros panic in that case; here the line is lost, and the exit status is still true.

use std::fmt;
use std::io::{self, Write};

/// A line on standard error, formatted as by `format!`: what went wrong, and what to do.
#[macro_export]
macro_rules! complain {
    ($($text:tt)*) => { $crate::cli::lines::to_standard_error(format_args!($($text)*)) };
}

/// A line on standard output, formatted as by `format!`: what the command was asked for.
#[macro_export]
macro_rules! tell {
    ($($text:tt)*) => { $crate::cli::lines::to_standard_output(format_args!($($text)*)) };
}

/// What [`crate::complain`] does.
pub fn to_standard_error(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What [`crate::tell`] does.
pub fn to_standard_output(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}
