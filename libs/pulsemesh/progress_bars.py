"""What the user sees while a job runs: a bar a stage on a terminal, a line a finished stage elsewhere. On stderr."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from pulsemesh_client import Job

TITLES = {
    "split": "split the clip",
    "skin": "find the skin's colour",
    "mask": "find skin",
    "people": "tell people apart",
    "trace": "trace its colour",
    "pulse": "find the pulse",
    "field": "average patches",
    "segment": "make it visible",
    "clip": "join the clip",
    "map": "sum up the maps",
    "maps": "draw the maps",
    "overlay": "lay them over the clip",
    "result": "write the results",
}


class _Amount(ProgressColumn):
    """Bytes of an upload, tasks of a stage."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes, self._tasks = DownloadColumn(), MofNCompleteColumn()

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        if task.fields.get("bytes"):
            return self._bytes.render(task)
        return self._tasks.render(task)


class ProgressBars:
    """Use in a `with` block.

    Parameters
    ----------
    console : Console
        Where to show them.
    quiet : bool
        Show nothing.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console, self._quiet = console, quiet
        self._live = console.is_terminal and not quiet
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            _Amount(),
            TimeElapsedColumn(),
            console=console,
            disable=not self._live,
        )
        self._stages: dict[str, TaskID] = {}
        self._said: set[str] = set()
        self._step: tuple[TaskID, str, float] | None = None

    def __enter__(self) -> ProgressBars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, what: str, total: int | None = None) -> None:
        """Begin a step of the command itself; `total` in bytes where it is known."""
        task = self._bars.add_task(what, total=total, bytes=total is not None)
        self._step = (task, what, time.monotonic())

    def advance(self, amount: int) -> None:
        """How many bytes of the step are done."""
        if self._step is not None:
            self._bars.update(self._step[0], completed=amount)

    def done(self) -> None:
        """The step has ended."""
        if self._step is None:
            return
        task, what, started = self._step
        total = self._bars.tasks[self._bars.task_ids.index(task)].total or 1
        self._bars.update(task, total=total, completed=total)
        self._line(f"{what}: {time.monotonic() - started:.1f} s")
        self._step = None

    def job(self, view: Job) -> None:
        """Show how far the stages of a job are."""
        for stage in view.progress:
            title = TITLES.get(stage.stage, stage.stage)
            if stage.stage not in self._stages:
                self._stages[stage.stage] = self._bars.add_task(title, total=stage.total, start=False)
            task = self._stages[stage.stage]
            if stage.done or stage.started_at is not None:
                self._bars.start_task(task)
            self._bars.update(task, total=stage.total, completed=stage.done)
            if stage.total is not None and stage.done >= stage.total and stage.stage not in self._said:
                self._said.add(stage.stage)
                self._line(f"{title}: {stage.done}/{stage.total}")

    def _line(self, text: str) -> None:
        if not self._live and not self._quiet:
            self._console.print(text, highlight=False)
