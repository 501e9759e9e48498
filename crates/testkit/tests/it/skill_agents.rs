//! Real agents that know nothing but an installed skill.
