//! `devinit job logs`: what a job has printed, from the log of its last run.

mod errors;
