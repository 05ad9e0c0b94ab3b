"""tensorgrade: deep-learning assignments whose grades cannot be faked."""

import sys

__version__ = "0.1.0"
__all__ = ["check"]


def check(task: str | None = None) -> None:
    """Run the public checks of a task on what this notebook defines now, and show the report.

    Args:
        task: the name of the task, as in the notebook's own call; without it all tasks are checked.

    Raises:
        PublicChecksFailed: a check failed; the report above says which, and what to try.
        CheckRefused: there is no such task, or ``test_public.py`` is not beside the notebook.
        CheckInterrupted: you stopped it; the report above says where your code was.
    """
    from tensorgrade import public  # not above: this loads torch and pytest

    public.check(task, sys._getframe(1).f_globals)
