//! Running a job: the guard, the worker, and the command.
