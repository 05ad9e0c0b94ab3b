"""Runs one assignment's graders on one submission."""
