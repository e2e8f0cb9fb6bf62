//! What is removed after a start.
