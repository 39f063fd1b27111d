//! The traces of the negotiation's design, each by its name.
