"""A progress bar for where there is no terminal: a plain line now and then, and one when a task is through."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import Progress, Task, TaskID

SECONDS_BETWEEN = 5.0


class PlainProgress(Progress):
    """Takes what a Progress takes and draws nothing; its lines are spaced by SECONDS_BETWEEN for each task."""

    def __init__(self, console: Console) -> None:
        super().__init__(console=console, disable=True)
        self._said: dict[TaskID, float] = {}
        self._through: set[TaskID] = set()

    def update(self, task_id: TaskID, **fields: Any) -> None:
        """Move a task on, as in Progress."""
        super().update(task_id, **fields)
        self._say(self._tasks[task_id])

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Move a task on, as in Progress."""
        super().advance(task_id, advance)
        self._say(self._tasks[task_id])

    def _say(self, task: Task) -> None:
        now = time.monotonic()
        if task.id in self._through:
            return
        if task.finished:
            self._through.add(task.id)
        elif now - self._said.setdefault(task.id, now) < SECONDS_BETWEEN:
            return
        self._said[task.id] = now
        total = "" if task.total is None else f" of {task.total:,.0f}"
        rate = task.fields.get("rate", "")
        self.console.print(
            f"{task.description}: {task.completed:,.0f}{total}" + (f", {rate}" if rate else ""), soft_wrap=True
        )
