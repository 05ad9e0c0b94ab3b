"""Helps an instructor trust an assignment before students see it."""

from tensorgrade.authoring.page import preview_page
from tensorgrade.authoring.preview import Preview, Trial, preview_assignment

__all__ = ["Preview", "Trial", "preview_assignment", "preview_page"]
