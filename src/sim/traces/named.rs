//! The traces at the end of negotiation.md, by their names.

use super::*;
