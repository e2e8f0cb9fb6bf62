//! Loggers in processes of their own, with real pipes.

mod files;
mod outputs;
mod world;
