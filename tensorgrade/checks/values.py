"""Compares nested plain values, such as a fitted vocabulary, without calling a method of theirs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

EXACT = (type(None), bool, int, str, bytes)
DEPTH = 60  # as deep as a value can be that crosses the wall


def is_same(a: Any, b: Any, *, rtol: float = 0.0, equal_nan: bool = False, depth: int = DEPTH) -> bool:
    """Whether two values are the same: of the same types, shapes and dtypes, and equal within a tolerance.

    Args:
        a: anything; what is not plain is never the same.
        b: the same.
        rtol: allowed relative difference of floating point values, of the largest one in a tensor.
        equal_nan: whether two NaN are the same.
        depth: how deeply the values may be nested.
    """
    if issubclass(type(a), Tensor) and issubclass(type(b), Tensor):
        try:
            return _is_same_tensor(torch.Tensor.detach(a), torch.Tensor.detach(b), rtol, equal_nan=equal_nan)
        except Exception:  # a tensor without values, or of an odd class
            return False
    if type(a) is not type(b) or depth == 0:
        return False
    options: dict[str, Any] = {"rtol": rtol, "equal_nan": equal_nan, "depth": depth - 1}
    if type(a) is np.ndarray:
        return a.dtype == b.dtype and a.dtype.kind in "biuf" and is_same(a.tolist(), b.tolist(), **options)
    if type(a) in (list, tuple):
        return len(a) == len(b) and all(is_same(x, y, **options) for x, y in zip(a, b, strict=True))
    if type(a) is dict:
        return set(map(_key, a)) == set(map(_key, b)) and all(is_same(a[key], b[key], **options) for key in a)
    if type(a) is float:
        return math.isclose(a, b, rel_tol=rtol) or (equal_nan and math.isnan(a) and math.isnan(b))
    return type(a) in EXACT and bool(a == b)


def is_plain(value: Any, depth: int = DEPTH) -> bool:
    """Whether a value is made of tensors, arrays, numbers, texts and containers of those."""
    if type(value) in (list, tuple):
        return depth > 0 and all(is_plain(item, depth - 1) for item in value)
    if type(value) is dict:
        return depth > 0 and all(is_plain(item, depth - 1) for item in (*value, *value.values()))
    return type(value) in (*EXACT, float, np.ndarray) or issubclass(type(value), Tensor)


def _key(key: Any) -> tuple[type, Any]:
    """A key as it counts: 1, 1.0 and True are three; an object of a class of the student's counts by its identity."""
    return type(key), key if type(key) in (*EXACT, float, tuple) else id(key)


def _is_same_tensor(a: Tensor, b: Tensor, rtol: float, *, equal_nan: bool) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not (a.is_floating_point() and rtol) or not a.numel():
        return bool(((a == b) | ((a != a) & (b != b) & equal_nan)).all())
    wide, other = a.double(), b.double()
    return bool(torch.isclose(wide, other, rtol=0.0, atol=rtol * other.abs().max().item(), equal_nan=equal_nan).all())
