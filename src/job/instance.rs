//! Which boot of which container this is, and whether the runner of a job is alive.
