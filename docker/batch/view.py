"""The terminal of `make batch`: pure functions from the state to what rich draws."""

from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from docker.batch.tables import Progress

BAR_WIDTH = 50


@dataclass
class BatchState:
    """Everything that is on the screen."""

    run: str = "queued"
    """State of Airflow's run."""
    tasks: list[str] = field(default_factory=list)
    """Tasks that are running."""
    progress: Progress = field(default_factory=Progress)
    calls: int = 0
    """HTTP requests that the local Yahoo and JPX have seen."""
    fetching: float | None = None
    """Seconds since the first stock was asked for."""
    elapsed: float = 0
    """Seconds since the run was triggered."""
    notes: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float | None:
        """Stocks finished per second; None until one is."""
        done = self.progress.done
        return done / self.fetching if done and self.fetching else None

    @property
    def remaining(self) -> float | None:
        """Seconds until all are finished at this pace; None while nothing is finished."""
        execution, pace = self.progress.execution, self.per_second
        if execution is None or not pace:
            return None
        return (execution.total - self.progress.done) / pace


def screen(state: BatchState, addresses: dict[str, str]) -> RenderableType:
    """The whole screen."""
    return Group(
        headline(state),
        bar(state),
        numbers(state),
        Text("\n".join(f"  {note}" for note in state.notes[-4:]), "yellow"),
        Text("\n".join(f"{name}: {text}" for name, text in addresses.items()), "dim"),
    )


def headline(state: BatchState) -> Text:
    """What Airflow is doing."""
    tasks = ", ".join(state.tasks) or "…"
    execution = state.progress.execution
    mood = execution.status if execution else "no execution yet"
    return Text.assemble(
        ("all_stocks_fetch ", "bold"), f" run {state.run} ({tasks})   batch {mood}   ",
        f"{state.elapsed:.0f} s",
    )  # fmt: skip


def bar(state: BatchState) -> RenderableType:
    """Stocks finished of all."""
    total = state.progress.execution.total if state.progress.execution else 0
    done = state.progress.done
    table = Table.grid(padding=(0, 1))
    share = f"{done:,} of {total:,}  {done / total:.1%}" if total else "planning …"
    table.add_row(ProgressBar(total=total or 1, completed=done, width=BAR_WIDTH), share)
    return table


def numbers(state: BatchState) -> Text:
    """Pace, time to go, failures, rows, requests, what is in work."""
    progress = state.progress
    pace = f"{state.per_second * 60:,.0f} stocks/min" if state.per_second else "-"
    left = f"{clock(state.remaining)} to go" if state.remaining is not None else "time to go: -"
    classes = ", ".join(f"{count} {name}" for name, count in progress.errors.items())
    failed = progress.stocks.get("failed", 0)
    return Text(
        f"{pace}   {left}   {progress.rows:,} bars stored   {state.calls:,} requests\n"
        f"failed {failed}{f' ({classes})' if classes else ''}   "
        f"in work: {' '.join(progress.current) or '-'}"
    )


def plain(state: BatchState) -> str:
    """One line for a log."""
    total = state.progress.execution.total if state.progress.execution else 0
    left = f", {clock(state.remaining)} to go" if state.remaining is not None else ""
    return (
        f"{state.elapsed:5.0f} s  {state.run} ({', '.join(state.tasks) or '…'})  "
        f"{state.progress.done:,} of {total:,} stocks{left}, "
        f"{state.progress.stocks.get('failed', 0)} failed, {state.calls:,} requests"
    )


def clock(seconds: float | None) -> str:
    """12:34 for 754 seconds."""
    whole = round(seconds or 0)
    return f"{whole // 60}:{whole % 60:02d}"
