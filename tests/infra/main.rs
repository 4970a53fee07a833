//! `windlass-dev infra --check`: the infrastructure as it is passes, and every kind of fault in it is named.

mod copy;
mod faults;
mod whole;
