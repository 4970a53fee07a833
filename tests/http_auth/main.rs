//! Who is let in, and what is answered to everybody else: a real application and a real authority on loopback, with
//! real RS256 tokens.

mod bodies;
mod boundary;
mod issuer;
mod keys;
mod sources;
mod tokens;
mod world;
