"""The suite of the platform."""
