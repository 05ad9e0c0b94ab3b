"""Loads the data sets of the assignments, from installed packages, a hub or a generator."""

from tensorgrade.data.negation import PAD, Reviews, draw_reviews

__all__ = ["PAD", "Reviews", "draw_reviews"]
