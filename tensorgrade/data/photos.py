"""A photograph to try filters on: one that comes with matplotlib, or one of the reader's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def load_photo(file: str | Path | None = None, *, height: int = 150) -> Tensor:
    """Read a photograph as grey values.

    Args:
        file: a picture in any common format; None: Rear Admiral Grace Hopper, who wrote the first
            compiler, in a portrait by the United States Navy (public domain) that matplotlib ships.
        height: of the result, in pixels; the width follows, so that nothing is distorted.

    Returns:
        Grey values from 0, black, to 1, white: float32, shape (height, width).
    """
    # Not above: a student who needs no photograph needs neither package.
    from matplotlib.cbook import get_sample_data
    from PIL import Image

    with Image.open(file or get_sample_data("grace_hopper.jpg", asfileobj=False)) as photo:
        width = max(1, round(height * photo.width / photo.height))
        small = photo.convert("L").resize((width, height))
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)
