//! The house's rules, held: which room may know which, what a room may be made of, how things are named and how
//! long a file may grow. Each rule is tried on small files that break it, then on the tree.

mod architecture {
    pub mod arrows;
    pub mod crates;
    pub mod documents;
    pub mod features;
    pub mod files;
    pub mod source;
    pub mod tree;
    pub mod words;
}
