//! The daemon goes away and comes back.
