//! Queries and constraints over small graphs.

mod answers;
mod constraints;
mod hostile;
mod small;
