"""What both sessions share: references to objects and functions, and what comes back of a question."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from tensorgrade.errors import GraderError, PlatformError, StudentError, WireError
from tensorgrade.student.kept import Keeper
from tensorgrade.student.proxies import StudentObject
from tensorgrade.wire import Callback, Handle


class Asking(ABC):
    """Asks the student's side, which may be a worker or this very notebook.

    Args:
        keeper: holds results that are too dear to be computed again.
        instructor: by name, the sources of the instructor's modules that run beside the student's code.

    Attributes:
        keeper: the same.
    """

    def __init__(self, keeper: Keeper, instructor: Mapping[str, str]) -> None:
        self.keeper = keeper
        self._instructor = dict(instructor)
        self._functions: list[Callable[..., Any]] = []
        self._is_calling = False
        self._failure: AssertionError | None = None

    @abstractmethod
    def begin_check(self, seed: int, cpu_seconds: float | None = None) -> None:
        """Get ready for the next check.

        Args:
            seed: of the student's side.
            cpu_seconds: the check's budget; None for the one in the limits.
        """

    @abstractmethod
    def read_outline(self) -> dict[str, dict[str, Any]]:
        """What `replies.outline.read_outline` finds in the submission, without running it."""

    @abstractmethod
    def _exchange(self, message: tuple[Any, ...]) -> Any:
        """Send a request, answer what the student's code calls back, and return the value.

        Raises:
            StudentError: the student's code raised.
            WorkerLost: the worker died or was stopped.
        """

    def ask(self, message: tuple[Any, ...], origin: str | None = None) -> Any:
        """Ask the student's side for a value.

        Args:
            message: a request of `tensorgrade.replies`.
            origin: a description of the object asked for that is the same on every run.

        Raises:
            StudentError: the student's code raised.
            WorkerLost: the worker died or was stopped, now or earlier in this check.
            CheckFailure: a function of the check's that the student's code called raised it.
            ValueError: the message cannot be sent; what the student's code returned before may be in it.
        """
        if self._is_calling:
            raise TypeError("a function of the grader's cannot ask the student's code while it is called by it")
        self._failure = None
        try:
            value = self._exchange(message)
        except StudentError:
            self._raise_failure()  # it comes first: what the check's function raised made the student's code fail
            raise
        except WireError as error:  # a value of the student's, passed on: no failure of the platform
            raise ValueError(f"cannot be sent to the student's code: {error}") from error
        self._raise_failure()
        return StudentObject(self, value, origin) if isinstance(value, Handle) else self._as_objects(value)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def load(self, name: str) -> Any:
        """The instructor's module of that name, loaded beside the student's code.

        Raises:
            GraderError: there is none.
        """
        if name not in self._instructor:
            known = ", ".join(sorted(self._instructor)) or "none"
            raise GraderError(f"student.load({name!r}): no worker/{name}.py beside the checks. There: {known}.")
        return self.ask(("load", name, self._instructor[name]), f"load {name}")

    def _as_reference(self, value: Any) -> Handle | Callback:
        if isinstance(value, StudentObject):
            return value._handle
        if callable(value) and not isinstance(value, type):
            self._functions.append(value)
            return Callback(len(self._functions) - 1)
        raise TypeError(f"cannot send an object of type {type(value).__name__} to the student's code")

    def _call_back(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Call a function of the check's with what the student's code sent; what it raises stays here."""
        if self._is_calling or not 0 <= number < len(self._functions):
            return ("raised",)
        self._is_calling = True
        try:
            return ("returned", self._functions[number](*self._as_objects(args), **self._as_objects(kwargs)))
        except PlatformError:
            raise
        except AssertionError as failure:  # the check looks at what its function is called with
            self._failure = self._failure or failure
        except Exception:  # noqa: S110 - odd arguments make any function raise; the student's code is told
            pass
        finally:
            self._is_calling = False
        return ("raised",)

    def _as_objects(self, value: Any) -> Any:
        if isinstance(value, Handle):
            return StudentObject(self, value)
        if isinstance(value, list | tuple):
            return type(value)(self._as_objects(item) for item in value)
        if isinstance(value, dict):
            return {self._as_objects(key): self._as_objects(item) for key, item in value.items()}
        return value
