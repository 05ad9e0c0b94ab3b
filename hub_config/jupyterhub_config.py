"""What JupyterHub reads. Who and what stand in courses.toml and profiles.toml, how in tensorgrade.hub.

It runs on one machine, or, with TENSORGRADE_HUB_ON=slurm, on a cluster's login node. On Kubernetes the chart has
a file of its own, and kubernetes/values.yaml calls us there.
"""

import os
from pathlib import Path

if os.environ.get("TENSORGRADE_HUB_ON") == "slurm":
    from tensorgrade.hub.slurm import configure_slurm as configure
else:
    from tensorgrade.hub.configure import configure_machine as configure

configure(get_config(), Path(__file__).parent)  # noqa: F821 - JupyterHub's
