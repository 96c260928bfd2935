"""What a row of the table is, and the goals that the design sets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One number: measured at the floor and at the gateway, with the goal; `higher` values are better if set."""

    name: str
    work: str
    unit: str
    floor: float | None
    headgate: float
    goal: float | None
    higher: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the goal is reached."""
        if self.goal is None:
            return ""
        reached = self.headgate >= self.goal if self.higher else self.headgate <= self.goal
        return "reached" if reached else "missed"


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def as_table(rows: list[Row]) -> str:
    """A Markdown table."""
    cells = [("work", "unit", "floor", "Headgate", "goal", "")]
    for row in rows:
        goal = "-" if row.goal is None else f"{'>=' if row.higher else '<='} {_figure(row.goal)}"
        cells.append((row.work, row.unit, _figure(row.floor), _figure(row.headgate), goal, row.verdict))
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    lines.insert(1, " | ".join("-" * max(width, 3) for width in widths))
    notes = [f"- {row.work}: {row.note}" for row in rows if row.note]
    return "\n".join(f"| {line} |" for line in lines) + ("\n\n" + "\n".join(notes) if notes else "") + "\n"
