//! `windlass-dev package`: from the repository's layout to what a Functions host reads, as a folder and as a zip.

mod building;
mod checking;
mod host;
mod programs;
mod repository;
mod staging;
mod tools;
mod zipping;
mod zips;
