"""The IPython shell that runs notebook cells and keeps what they show as nbformat outputs."""

from __future__ import annotations

import base64
import io
import re
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import torch
from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

CELL_NAME = re.compile(r"<cell (\d+)>")
WARM_CELL = """
import matplotlib.pyplot as _plt, numpy as _np, torch as _torch
_plt.plot([0, 1]); _plt.show(); _plt.close("all")
_net = _torch.nn.Linear(2, 2)
_net(_torch.ones(1, 2)).sum().backward()
_torch.optim.SGD(_net.parameters(), 0.1).step()
"""


class Outputs:
    """The outputs of one cell, at most `limit_bytes` of them."""

    def __init__(self, limit_bytes: int) -> None:
        self.items: list[dict[str, Any]] = []
        self.bytes_left = limit_bytes
        self.bytes_left_out = 0

    def add(self, output: dict[str, Any]) -> None:
        """Keep one output if there is room for it."""
        size = len(repr(output))
        if size > self.bytes_left:
            self.bytes_left_out += size
            return
        self.bytes_left -= size
        self.items.append(output)

    def add_text(self, name: str, text: str) -> None:
        """Keep text of stdout or stderr; what follows in the same stream joins it."""
        kept = text[: self.bytes_left]
        self.bytes_left -= len(kept)
        self.bytes_left_out += len(text) - len(kept)
        last = self.items[-1] if self.items else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"] += kept
        elif kept:
            self.items.append({"output_type": "stream", "name": name, "text": kept})

    def finished(self) -> list[dict[str, Any]]:
        """The outputs, with a last line about what was left out."""
        if self.bytes_left_out:
            text = f"\n… {self.bytes_left_out:,} bytes left out …\n"
            self.items.append({"output_type": "stream", "name": "stderr", "text": text})
        return self.items


class Stream(io.TextIOBase):
    """A text stream that writes into the outputs of the cell that runs."""

    def __init__(self, shell: Shell, name: str) -> None:
        self.shell = shell
        self.stream_name = name

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What programs ask a stream for before they write."""
        return "utf-8"

    def fileno(self) -> int:
        """The descriptor for programs that insist on one; it leads nowhere."""
        return 1

    def reconfigure(self, **_: Any) -> None:
        """There is nothing to configure."""

    def write(self, text: str) -> int:
        """Keep the text."""
        self.shell.outputs.add_text(self.stream_name, str(text))
        return len(text)


class CellCompiler(CachingCompiler):  # type: ignore[misc]
    """Names the code of each cell after its place in the notebook, so that tracebacks tell it."""

    def get_code_name(self, raw_code: str, code: str, number: int) -> str:
        """The file name of a cell's code."""
        return f"<cell {number}>"

    def format_code_name(self, name: str) -> tuple[str, str] | None:
        """What a traceback says instead of the file name."""
        match = CELL_NAME.fullmatch(name)
        return ("Cell", f"In[{match[1]}]") if match else None


class CellResult(DisplayHook):  # type: ignore[misc]
    """Keeps the value of a cell's last expression."""

    def quiet(self) -> bool:
        """Whether the cell ends in a semicolon; IPython would look into a history that is off."""
        ends: bool = self.semicolon_at_end_of_expression(self.shell.source)
        return ends

    def write_output_prompt(self) -> None:
        """No prompt: the notebook shows its own."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Keep the value's representations."""
        output = {"output_type": "execute_result", "data": _texts(format_dict), "metadata": {}}
        self.shell.outputs.add({**output, "execution_count": self.shell.execution_count})

    def finish_displayhook(self) -> None:
        """No line end on stdout."""


class CellDisplay(DisplayPublisher):  # type: ignore[misc]
    """Keeps what `display` is called with."""

    def publish(self, data: dict[str, Any], metadata: Any = None, **_: Any) -> None:
        """Keep the object's representations."""
        self.shell.outputs.add({"output_type": "display_data", "data": _texts(data), "metadata": {}})

    def clear_output(self, wait: bool = False) -> None:
        """Forget what the cell has shown so far."""
        self.shell.outputs.items.clear()


class Shell(InteractiveShell):  # type: ignore[misc]
    """An IPython shell without history, terminal or kernel."""

    compiler_class = Type(CellCompiler)
    displayhook_class = Type(CellResult)
    display_pub_class = Type(CellDisplay)
    outputs = Outputs(0)
    source = ""

    @classmethod
    def warm(cls) -> Shell:
        """A shell that has already plotted and trained once, so that forks need not."""
        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.banner1 = ""
        shell: Shell = cls.instance(config=config)
        shell.run_notebook_cell(0, WARM_CELL, 1 << 20)
        shell.reset(new_session=True)
        return shell

    def run_notebook_cell(self, number: int, source: str, limit_bytes: int) -> tuple[bool, list[dict[str, Any]]]:
        """Run the cell `In [number]`; returns whether it ended without an error, and its nbformat outputs."""
        self.outputs = Outputs(limit_bytes)
        self.source = source
        self.execution_count = number
        with redirect_stdout(Stream(self, "stdout")), redirect_stderr(Stream(self, "stderr")):
            result = self.run_cell(source, store_history=False)
        return bool(result.success), self.outputs.finished()

    def enable_gui(self, gui: str | None = None) -> None:
        """There is no window system to integrate with; inline figures need none."""

    def init_sys_path(self) -> None:
        """Keep the working directory off the import path: it is last there, as `/submission`."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        text = "\n".join(stb).splitlines()
        name = str(getattr(etype, "__name__", etype))
        self.outputs.add({"output_type": "error", "ename": name, "evalue": _text(evalue), "traceback": text})


def _texts(data: dict[str, Any]) -> dict[str, str]:
    """The text representations; binary ones are base64 already or are encoded here."""
    encoded = {key: base64.b64encode(v).decode() if isinstance(v, bytes) else v for key, v in data.items()}
    return {str(key): value for key, value in encoded.items() if isinstance(value, str)}


def _text(value: Any) -> str:
    try:
        return str(value)
    except BaseException:
        return "(its text cannot be shown)"
