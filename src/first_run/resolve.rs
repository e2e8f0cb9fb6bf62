//! Config → tasks.
