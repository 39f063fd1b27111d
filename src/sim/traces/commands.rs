//! Operators: hand-overs, holds, forced steps, and stops, also when the disk or the network disagrees.

use super::*;
