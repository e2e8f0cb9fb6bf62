//! How the GPUs are: the one place that asks nvidia-smi.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::table::{Cell, Look, table};
use crate::machine::Gpu;
use crate::machine::gpu::Known;
use crate::machine::gpu::smi::{self, Row};
use crate::note::{LONGEST_NOTE, Note};
use crate::words::clean;

/// GPUs, their driver, and how they are now.
#[derive(Debug, Default, Serialize)]
pub struct GpuStatus {
    /// What files tell.
    pub facts: Gpu,
    /// What was there at boot and is not any more.
    pub gone: Option<String>,
    /// What nvidia-smi tells of each; empty if it was not asked.
    pub now: Vec<Row>,
    /// Why it tells nothing.
    pub fault: Option<String>,
}

impl GpuStatus {
    /// Looks, and asks nvidia-smi if that is wanted and there is a GPU.
    pub(super) fn look(boot: &Known, ask: bool) -> Self {
        let root = Path::new("/");
        let facts = Gpu::look(root, &|name| std::env::var(name).ok());
        let gone = boot.gone(root);
        let answer = match smi::find() {
            Some(program) if ask && facts.present() => smi::ask(&program, smi::LIMIT),
            _ => Ok(Vec::new()),
        };
        let (now, fault) = match answer {
            Ok(now) => (now, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        Self { facts, gone, now, fault }
    }

    /// For people. Where there is no GPU, nothing.
    pub(super) fn write(&self, out: &mut String, look: Look) {
        if !self.facts.present() {
            return;
        }
        let _ = writeln!(out, "\nGPU: {}", clean(&self.facts.to_string(), LONGEST_NOTE));
        let rows: Vec<Vec<Cell>> = self.now.iter().map(row).collect();
        if !rows.is_empty() {
            out.push_str(&table(&["INDEX", "MEMORY", "LOAD", "TEMPERATURE", "MODEL"], &rows, &[], look));
        }
    }

    /// What is wrong.
    pub(super) fn notes(&self) -> Vec<Note> {
        let gone = self.gone.iter().map(Note::error);
        gone.chain(self.fault.iter().map(Note::warning)).collect()
    }
}

fn row(row: &Row) -> Vec<Cell> {
    let unknown = || "-".to_owned();
    let index = row.index.map_or_else(unknown, |index| index.to_string());
    let memory = match (row.memory_used_mib, row.memory_mib) {
        (Some(used), Some(all)) => format!("{used} of {all} MiB"),
        (None, Some(all)) => format!("{all} MiB"),
        _ => unknown(),
    };
    let load = row.utilization_percent.map_or_else(unknown, |load| format!("{load} %"));
    let temperature = row.temperature_c.map_or_else(unknown, |degrees| format!("{degrees} C"));
    let mig = if row.mig == Some(true) { " (MIG)" } else { "" };
    let model = format!("{}{mig}", row.name.as_deref().unwrap_or("-"));
    [index, memory, load, temperature, model].map(Cell::from).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::gpu::Device;

    #[test]
    fn each_gpu_has_a_line_and_what_is_wrong_is_noted() {
        let devices = vec![Device { model: Some("NVIDIA H100".to_owned()), ..Device::default() }];
        let known = Row {
            index: Some(0),
            name: Some("NVIDIA H100".to_owned()),
            memory_mib: Some(81559),
            memory_used_mib: Some(4),
            utilization_percent: Some(7),
            temperature_c: Some(29),
            mig: Some(true),
            ..Row::default()
        };
        let unknown = Row { index: Some(1), ..Row::default() };
        let status = GpuStatus {
            facts: Gpu { devices, ..Gpu::default() },
            gone: Some("GPU 1 is gone".to_owned()),
            now: vec![known, unknown],
            fault: Some("nvidia-smi says: x".to_owned()),
        };
        let mut out = String::new();
        status.write(&mut out, Look::default());
        insta::assert_snapshot!(out.trim_start(), @r"
        GPU: NVIDIA H100

        INDEX  MEMORY          LOAD  TEMPERATURE  MODEL
        0      4 of 81559 MiB  7 %   29 C         NVIDIA H100 (MIG)
        1      -               -     -            -
        ");
        assert_eq!(status.notes(), [Note::error("GPU 1 is gone"), Note::warning("nvidia-smi says: x")]);
    }

    #[test]
    fn where_there_is_no_gpu_nothing_is_written() {
        let mut out = String::new();
        GpuStatus::default().write(&mut out, Look::default());
        assert_eq!(out, "");
    }
}
