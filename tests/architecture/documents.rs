//! The documents speak of what is there.
