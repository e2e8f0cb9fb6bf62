//! Tables and colours for a terminal, or for what is none.

use std::io::IsTerminal;

use crate::greeting::wants_color;
use crate::sys;
use crate::words::{columns, fit};

/// The least room that the last column gets before others are left out, in columns of the terminal.
const ROOM: usize = 28;

/// What the output can do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// The terminal's width in columns; none: it is no terminal, and lines may be as long as they are.
    pub columns: Option<usize>,
    /// Whether there may be colours.
    pub color: bool,
}

impl Look {
    /// What this process' standard output can do. There are no colours with [NO_COLOR](https://no-color.org).
    #[must_use]
    pub fn of_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let variable = |name| std::env::var_os(name);
        Self {
            columns: terminal.then(|| sys::terminal_columns().unwrap_or(80)),
            color: wants_color(terminal, variable("NO_COLOR").as_deref(), variable("TERM").as_deref()),
        }
    }

    /// A text in a tone.
    #[must_use]
    pub fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Strong => "1",
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Odd => "33",
            Tone::Bad => "1;31",
        };
        if self.color && !code.is_empty() && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A text on one line, cut so that with `taken` columns before it the terminal does not break it.
    #[must_use]
    pub fn fit(self, text: &str, taken: usize) -> String {
        self.columns.map_or_else(|| text.to_owned(), |all| fit(text, all.saturating_sub(taken).max(10)))
    }
}

/// How a text stands out. It is never all that tells something: the words do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Not at all.
    #[default]
    Plain,
    /// A title.
    Strong,
    /// Of less interest.
    Dim,
    /// As it should be.
    Good,
    /// Not as it should be, yet or any more.
    Odd,
    /// Something failed.
    Bad,
}

/// A cell of a table.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// What it says, on one line.
    pub text: String,
    /// How it says it.
    pub tone: Tone,
}

impl Cell {
    /// A cell that stands out like this.
    pub fn of(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::of(text, Tone::Plain)
    }
}

/// A table with an empty line above it. On a terminal its last column is cut to what is left of the width; where that is
/// little, the columns whose places are in `dispensable` are left out, the first one first.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<Cell>], dispensable: &[usize], look: Look) -> String {
    let head: Vec<Cell> = head.iter().map(|title| Cell::of(*title, Tone::Strong)).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width =
        |column: usize| all().filter_map(|row| row.get(column)).map(|cell| columns(&cell.text)).max().unwrap_or(0);
    let mut shown: Vec<(usize, usize)> = (0..head.len()).map(|column| (column, width(column))).collect();
    let Some((last, widest)) = shown.pop() else { return String::new() };
    let taken = |shown: &[(usize, usize)]| shown.iter().map(|(_, width)| width + 2).sum::<usize>();
    for column in dispensable {
        if look.columns.is_none_or(|columns| taken(&shown) + widest.min(ROOM) <= columns) {
            break;
        }
        shown.retain(|(shown, _)| shown != column);
    }
    let before = taken(&shown);
    let mut out = String::from("\n");
    for row in all() {
        let mut line = String::new();
        let mut blanks = 0;
        for (column, width) in shown.iter().copied().chain([(last, 0)]) {
            let Some(cell) = row.get(column) else { continue };
            let text = if column == last { look.fit(&cell.text, before) } else { cell.text.clone() };
            if !text.is_empty() {
                line.push_str(&" ".repeat(blanks));
                line.push_str(&look.paint(&text, cell.tone));
                blanks = 0;
            }
            blanks += width.saturating_sub(columns(&text)) + 2;
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<Cell>> {
        let row = |cells: [&str; 4]| -> Vec<Cell> { cells.into_iter().map(Cell::from).collect() };
        vec![
            row(["app", "failed", "12", "exit code 1, and a long story that goes on"]),
            row(["weltkugel-世界", "ready", "", ""]),
        ]
    }

    fn shown(columns: Option<usize>) -> String {
        table(&["NAME", "STATE", "PID", "NOTE"], &rows(), &[2, 1], Look { columns, color: false })
    }

    #[test]
    fn columns_are_aligned_also_with_wide_characters_and_nothing_trails() {
        insta::assert_snapshot!(shown(None).trim_start(), @r"
        NAME            STATE   PID  NOTE
        app             failed  12   exit code 1, and a long story that goes on
        weltkugel-世界  ready
        ");
    }

    #[test]
    fn on_a_narrow_terminal_the_last_column_is_cut_and_others_make_room() {
        for columns in 20..90 {
            let text = shown(Some(columns));
            assert!(text.lines().all(|line| crate::words::columns(line) <= columns.max(30)), "{columns}: {text}");
            assert!(text.contains("app") && text.contains("exit"), "{columns}: {text}");
        }
        assert!(!shown(Some(54)).contains("PID") && shown(Some(54)).contains("STATE"));
    }

    #[test]
    fn a_colour_takes_no_room() {
        let mut rows = rows();
        rows[0][1].tone = Tone::Bad;
        let head = ["NAME", "STATE", "PID", "NOTE"];
        let colored = table(&head, &rows, &[], Look { columns: None, color: true });
        let mut plain = colored;
        for code in ["\x1b[1m", "\x1b[1;31m", "\x1b[0m"] {
            assert!(plain.contains(code));
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, shown(None));
    }
}
