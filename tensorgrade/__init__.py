"""tensorgrade: deep-learning assignments whose grades cannot be faked."""

__version__ = "0.1.0"
