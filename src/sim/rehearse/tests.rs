//! What the catalogue comes to at small sites.

use super::*;

