"""What JupyterHub reads. Who and what stand in courses.toml and profiles.toml, how in tensorgrade.hub."""

from pathlib import Path

from tensorgrade.hub import configure_machine

configure_machine(get_config(), Path(__file__).parent)  # noqa: F821 - JupyterHub's
