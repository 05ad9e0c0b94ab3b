"""Numbered hostile submissions: files of cell edits with the expected outcome in their heads."""
