"""Loads the data sets of the assignments, from installed packages, a hub or a generator."""

from tensorgrade.data.digits import Digits, load_digits
from tensorgrade.data.negation import PAD, Reviews, draw_reviews
from tensorgrade.data.photos import load_photo

__all__ = ["PAD", "Digits", "Reviews", "draw_reviews", "load_digits", "load_photo"]
