//! `[watchdog]`: the device that resets the machine when its controller hangs (S4).

use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::super::arbiter::WatchdogConfig;
use super::super::duration;
use super::super::read::{Fault, Reader, string, time};
use super::super::schema;
use super::table;

/// The kernel counts a watchdog's time in whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// Reads `[watchdog]`.
pub(super) fn read(reader: &mut Reader<'_>, top: &DeTable<'_>) -> WatchdogConfig {
    let defaults = WatchdogConfig::default();
    let Some(keys) = table(top, &schema::WATCHDOG) else { return defaults };
    let device = |value: &DeValue<'_>| {
        let text = string(value)?;
        match text.contains('\0') {
            true => Err(Fault::new("this is no path", "write \"/dev/watchdog\", or \"\" for none")),
            false => Ok(text),
        }
    };
    let whole = |value: &DeValue<'_>| {
        let read = time(SECOND)(value)?;
        match read.subsec_nanos() {
            0 => Ok(read),
            _ => Err(Fault::new(
                format!("{} is no whole number of seconds, which is how the kernel counts it", duration::text(read)),
                format!("write \"{}s\"", read.as_secs() + 1),
            )),
        }
    };
    WatchdogConfig {
        device: reader.value(&keys, "device", device).unwrap_or(defaults.device),
        timeout: reader.value(&keys, "timeout", whole).unwrap_or(defaults.timeout),
    }
}
