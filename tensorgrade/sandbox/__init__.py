"""Confines a process; one file per boundary."""
