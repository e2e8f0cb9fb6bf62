"""What was measured, and the table that is made of it."""

from dataclasses import dataclass, field
from statistics import median
from typing import Callable

COLUMNS = ["devinit", "s6", "s6-rc", "runit", "supervisord", "tini", "dumb-init", "catatonit"]


@dataclass(eq=False)
class Row:
    """A measurement: what each peer needed, in rounds."""

    title: str
    show: Callable[[float], str]
    more_is_better: bool = False
    samples: dict[str, list[float]] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)  # by column: what makes its figure no match for others

    def note(self, column: str, value: float) -> None:
        self.samples.setdefault(column, []).append(value)

    def value(self, column: str) -> float:
        return median(self.samples[column])

    def best(self, beside: "Row | None" = None) -> float | None:
        """The best peer's figure."""
        row = beside or self
        figures = [row.value(column) for column in row.samples if column != "devinit" and column not in row.remarks]
        return (max if self.more_is_better else min)(figures, default=None)

    def cell(self, column: str, best: float | None) -> str:
        if column not in self.samples:
            return ""
        text = self.show(self.value(column))
        if best and column not in self.remarks:
            text += f" (×{ratio(self.value(column) / best)})"
        return f"**{text}**" if column == "devinit" else text + self.remarks.get(column, "")


def ratio(number: float) -> str:
    return f"{number:.2f}" if number < 10 else f"{number:.0f}"


class Table:
    """The rows, in the order in which they are to be shown; a row may be compared with the peers of the one above."""

    def __init__(self) -> None:
        self.rows: list[tuple[Row, Row | None]] = []
        self.notes: list[str] = []

    def add(self, row: Row, beside: Row | None = None) -> Row:
        """At the end, or after the row whose peers it is compared with and what is there already for that one."""
        related = [index for index, (other, to) in enumerate(self.rows) if beside and beside in (other, to)]
        self.rows.insert(related[-1] + 1 if related else len(self.rows), (row, beside))
        return row

    def remark(self, row: Row, column: str, sign: str, note: str) -> None:
        """Marks a figure as no match for the others, and says why below the table."""
        row.remarks[column] = f" {sign}"
        if f"{sign} {note}" not in self.notes:
            self.notes.append(f"{sign} {note}")

    def print(self) -> None:
        columns = [column for column in COLUMNS if any(column in row.samples for row, _ in self.rows)]
        print("| | " + " | ".join(columns) + " |")
        print("| --- |" + " --- |" * len(columns))
        for row, beside in self.rows:
            best = row.best(beside)
            arrow = "↑" if row.more_is_better else "↓"
            print(f"| {row.title} {arrow} | " + " | ".join(row.cell(column, best) for column in columns) + " |")
        for note in self.notes:
            print(f"\n{note}")


def milliseconds(seconds: float) -> str:
    number = seconds * 1000
    return f"{number:.2f} ms" if number < 10 else f"{number:.1f} ms" if number < 100 else f"{number:.0f} ms"


def microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} µs"


def count(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ")


def kib(number: float) -> str:
    return f"{count(number)} KiB"


def million_lines(number: float) -> str:
    return f"{number / 1e6:.2f} M/s"


def seconds(number: float) -> str:
    return f"{number:.2f} s"
