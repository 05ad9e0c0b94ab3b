"""What a check holds in its hands: the submission, and objects that stay on its side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrade.errors import CheckFailure, NotDefinedError, StudentError
from tensorgrade.wire import Handle

if TYPE_CHECKING:
    import torch

    from tensorgrade.student.asking import Asking


class Student:
    """The names that a submission defines, as attributes: ``student.attend(q, k, v)``.

    A name that is also a method of this class is reached as ``student["load"]``.
    """

    def __init__(self, session: Asking, seed: int = 0) -> None:
        self._session = session
        self._seed = seed

    def __getattr__(self, name: str) -> Any:
        """The value of a name, or a `StudentObject` for it.

        Raises:
            NotDefinedError: the submission does not define it.
        """
        if name.startswith("__"):
            raise AttributeError(name)  # Python and pytest look for protocols of ours, not the student's
        return self[name]

    def __getitem__(self, name: str) -> Any:
        """The same, for any name."""
        try:
            return self._session.ask(("get", name), f"get {name}")
        except StudentError as error:
            raise NotDefinedError(name) from error

    def seed(self, number: int) -> None:
        """Seed Python, NumPy and torch on the student's side, as each check does when it begins."""
        self._seed = number
        self._session.ask(("seed", number))

    def begin_again(self, number: int, cpu_seconds: float | None) -> None:
        """Give the rest of the check a new seed, and its budget anew; None for that of the limits."""
        self._session.begin_check(number, cpu_seconds)
        self._seed = number

    def gradients(
        self, function: StudentObject, inputs: tuple[Any, ...], along: Any = None
    ) -> tuple[torch.Tensor | None, ...]:
        """Run a function or module of the student's forward and backward, as one training step would.

        Args:
            function: a module's own gradients are cleared first; read them with `parameter_gradients`.
            inputs: its arguments; those that are floating point tensors are differentiated.
            along: the gradient of a loss with respect to the output, of the output's shape, so that the loss
                itself, and the labels in it, stay outside; for several outputs one each, with None
                for those that do not count. None: the loss is the sum of the (first) output.

        Returns:
            For each input the gradient, of its shape; None if none reaches it.

        Raises:
            StudentError: the forward or the backward pass raised.
            CheckFailure: an output has another shape than its `along`.
        """
        return _gradients_of(inputs, self._session.ask(("gradients", function, tuple(inputs), along)))

    def parameter_gradients(self, module: StudentObject) -> dict[str, torch.Tensor | None]:
        """By name, the gradient that the last backward pass left on each parameter of a module."""
        found = self._session.ask(("parameter_gradients", module))
        if not isinstance(found, dict):
            raise CheckFailure(f"parameter_gradients: expected a dict, got {type(found).__name__}")
        return found

    def copy_weights(self, module: StudentObject, weights: dict[str, torch.Tensor]) -> None:
        """Copy weights into a module of the student's, whose parameters must have exactly these names and shapes.

        Args:
            module: the student's.
            weights: by name; names of buffers may be among them.

        Raises:
            CheckFailure: a name is missing or unknown, or a shape is another one; nothing was copied.
        """
        match self._session.ask(("copy_weights", module, weights)):
            case {"missing": list(missing), "unknown": list(unknown), "differing": dict(differing)}:
                _require_fitting(weights, missing, unknown, differing)
                return
        raise CheckFailure("copy_weights: the student's side gave an odd answer")

    def arguments_after(self, function: StudentObject, *inputs: Any) -> tuple[Any, ...]:
        """Call a function of the student's, and give its arguments as it has left them.

        Raises:
            CheckFailure: what comes back is not as many values.
        """
        found = self._session.ask(("arguments_after", function, inputs))
        if not isinstance(found, tuple) or len(found) != len(inputs):
            raise CheckFailure(f"arguments_after: expected a tuple of {len(inputs)}, got {type(found).__name__}")
        return found

    def torch_calls(self, function: StudentObject, *inputs: Any) -> frozenset[str]:
        """Dotted names of the functions of torch that a call runs, such as ``torch.nn.functional.conv2d``.

        Raises:
            CheckFailure: what comes back is no list of names.
        """
        found = self._session.ask(("torch_calls", function, inputs))
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            raise CheckFailure(f"torch_calls: expected a list of names, got {type(found).__name__}")
        return frozenset(found)

    def random_state(self) -> dict[str, str]:
        """By library (random, numpy, torch), a hash of the state of its global generator on the student's side."""
        found = self._session.ask(("random_state",))
        if not isinstance(found, dict):
            raise CheckFailure(f"random_state: expected a dict, got {type(found).__name__}")
        return found

    def cpu_seconds(self) -> float:
        """The CPU time that the student's process has used so far, as it says itself.

        The budget of a check is kept from outside: a process that lies about this gains nothing by it.
        """
        found = self._session.ask(("cpu_seconds",))
        if type(found) is not float:
            raise CheckFailure(f"cpu_seconds: expected a float, got {type(found).__name__}")
        return found

    def load(self, name: str) -> Any:
        """The module ``worker/<name>.py`` of the grader, loaded beside the student's code.

        It runs where students can read and change it: it holds no secret, and what its functions
        return is worth no more than any value of the student's.

        Raises:
            GraderError: there is no such file.
        """
        return self._session.load(name)

    def kept(self, function: StudentObject, *args: Any, **kwargs: Any) -> Any:
        """Call a function, unless an earlier grading has kept what it returned for the same submission.

        What decides the value has to be in the call: names of the submission, functions of a loaded
        module, and plain values. So a changed check scores kept weights without training them again.

        Before and after it, the student's side is seeded as the check last seeded it, so that what
        follows is the same whether the function ran or not.

        Raises:
            TypeError: an argument is an object that another call has made, or the function returned
                something else than plain values.
        """
        key = self._session.keeper.key_of(self._seed, (function, args, kwargs))
        self.seed(self._seed)
        value = self._session.keeper.keep(key, lambda: function(*args, **kwargs))
        self.seed(self._seed)
        return value

    def source(self, name: str) -> str:
        """The source of a function or class, read from the notebook and not from what runs.

        Raises:
            NotDefinedError: no cell defines it at its top level.
        """
        return str(self._outline(name)["source"])

    def calls(self, name: str) -> frozenset[str]:
        """Dotted names that a function or class calls or passes on, also through the notebook's helpers.

        Imports and aliases are followed: ``F.softmax`` is ``torch.nn.functional.softmax``. A method of
        something unknown begins with a dot: ``.softmax``. What is only named at run time is not found.

        Raises:
            NotDefinedError: no cell defines it at its top level.
        """
        return frozenset(self._outline(name)["calls"])

    def _outline(self, name: str) -> dict[str, Any]:
        outline = self._session.read_outline()
        if name not in outline:
            raise NotDefinedError(name)
        return outline[name]


class StudentObject:
    """A function, class or instance that stays on the student's side.

    Calling it and reading its attributes are requests over the wire.
    """

    def __init__(self, session: Asking, handle: Handle, origin: str | None = None) -> None:
        self._session = session
        self._handle = handle
        self._origin = origin

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it; tensors are sent as bytes, and results come back as plain tensors and values.

        A function among the arguments stays here: the student's code may call it with values.
        """
        return self._session.ask(("call", self, args, kwargs))

    def __getattr__(self, name: str) -> Any:
        """Read an attribute.

        Raises:
            StudentError: the object has no such attribute, or reading it raised.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        origin = f"{self._origin} . {name}" if self._origin is not None else None
        return self._session.ask(("attribute", self, name), origin)

    def __bool__(self) -> bool:
        """Refuse: an object that is no plain value must not count as true."""
        raise TypeError("expected a plain value, got an object that stays on the student's side")

    def __repr__(self) -> str:
        return "<an object of the student's>"  # its class could be named after a hidden input


def _gradients_of(inputs: tuple[Any, ...], found: Any) -> tuple[torch.Tensor | None, ...]:
    if isinstance(found, list):
        hint = "The result has another shape than the task says, so no gradient can be taken through it."
        raise CheckFailure(f"gradients: shapes of output and along differ: {str(found)[:200]}", hint)
    if not isinstance(found, tuple) or len(found) != len(inputs):
        raise CheckFailure(f"gradients: expected a tuple of {len(inputs)}, got {type(found).__name__}")
    return found


def _require_fitting(
    weights: dict[str, torch.Tensor], missing: list[Any], unknown: list[Any], differing: dict[Any, Any]
) -> None:
    """Say which layer does not fit; all names come from the task's text or from the student."""
    lacking = [name for name in weights if name in missing]
    if lacking:
        hint = f"The task's text names a parameter `{lacking[0]}`, which your module does not have."
        raise CheckFailure(f"missing parameters: {', '.join(lacking)}", hint)
    for name, weight in weights.items():
        if name in differing:
            hint = f"The parameter `{name}` has another shape than the task's text says."
            raise CheckFailure(f"{name}: expected shape {tuple(weight.shape)}, got {differing[name]!r:.200}", hint)
    if unknown:
        hint = "Your module has a parameter that the task's text does not name. Compare the names of its layers."
        raise CheckFailure(f"unknown parameters: {unknown!r:.500}", hint)
