//! The greeting: what a person who just came in wants to know.
