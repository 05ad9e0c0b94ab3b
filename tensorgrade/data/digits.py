"""Written digits: those that scikit-learn ships, or any labelled pictures of the Hugging Face hub."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Digits:
    """Pictures and what they show.

    Attributes:
        images: grey values from 0 to 1 (ink, in scikit-learn's and in MNIST): float32, shape (n, size, size).
        labels: the class of each picture, from 0: int64, shape (n,).
    """

    images: Tensor
    labels: Tensor


def load_digits(source: str | None = None, *, split: str = "train", size: int = 8) -> Digits:
    """Read a data set of small labelled pictures.

    Args:
        source: None: the 1,797 digits of 43 writers that scikit-learn ships (test part of Alpaydin
            and Kaynak, *Optical Recognition of Handwritten Digits*, UCI, 1998), 8 by 8 pixels.
            Otherwise what `datasets.load_dataset` takes: the name of a data set on the Hugging Face
            hub, such as "ylecun/mnist", or a folder of pictures. It needs `tensorgrade[data]`.
        split: of that data set; scikit-learn's digits have only one.
        size: to which the pictures of `source` are scaled, in pixels.

    Returns:
        The pictures in the order of the source.

    Raises:
        ValueError: the data set of `source` has no column of pictures, or none of classes.
    """
    if source is None:
        return _shipped()

    # Not above: it takes a second to import, and most assignments do not need it.
    from datasets import ClassLabel, load_dataset
    from datasets import Image as Picture

    rows = load_dataset(source, split=split)
    pictures, classes = (
        [name for name, kind in rows.features.items() if isinstance(kind, wanted)] for wanted in (Picture, ClassLabel)
    )
    if not pictures or not classes:
        raise ValueError(
            f"{source} has the columns {', '.join(rows.features)}: one of pictures and one of classes is needed"
        )
    images = torch.stack([_grey(picture, size) for picture in rows[pictures[0]]])
    return Digits(images, torch.tensor(rows[classes[0]]))


def _shipped() -> Digits:
    """The digits of scikit-learn, from its file: to import it takes half a second, in every worker anew."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
    file = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    rows = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.int64))  # 64 pixels from 0 to 16, the digit
    return Digits(rows[:, :-1].reshape(-1, 8, 8).float() / 16, rows[:, -1].clone())


def _grey(picture: Image, size: int) -> Tensor:
    """A picture in grey values from 0 to 1: shape (size, size)."""
    small = picture.convert("L").resize((size, size))
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)
