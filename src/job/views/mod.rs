//! What looks at jobs and steers them: `status`, `list`, `logs`, `wait`, `stop`, `retry`.

pub mod logs;
