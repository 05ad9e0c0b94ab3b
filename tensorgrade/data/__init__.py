"""Loads the data sets of the assignments, from installed packages, a hub or a generator."""

from tensorgrade.data.negation import PAD, Reviews, draw_reviews
from tensorgrade.data.photos import load_photo

__all__ = ["PAD", "Reviews", "draw_reviews", "load_photo"]
