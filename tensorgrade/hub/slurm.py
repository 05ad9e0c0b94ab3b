"""Sets up a hub whose servers are jobs of a Slurm cluster, and starts them with batchspawner."""

from __future__ import annotations

import json
import os
import pwd
import socket
from pathlib import Path
from typing import Any

from batchspawner import SlurmSpawner
from batchspawner.api import BatchSpawnerAPIHandler
from jupyterhub.apihandlers import default_handlers
from tornado.web import HTTPError

from tensorgrade.hub.choice import ProfileChoice, Refused
from tensorgrade.hub.configure import PORT, PROGRAMS, configure_machine, exchange_address
from tensorgrade.hub.courses import read_courses
from tensorgrade.hub.profiles import read_profiles
from tensorgrade.hub.rendering import slurm_settings

ADDRESS = "TENSORGRADE_HUB_ADDRESS"
PUBLIC = "TENSORGRADE_HUB_PUBLIC"  # where browsers reach the hub; so do the nodes, for the exchange


class SlurmProfileSpawner(ProfileChoice, SlurmSpawner):  # type: ignore[misc]  # batchspawner's
    """A job with the limits of a profile; Slurm holds it to them and hands out the GPUs."""

    async def start(self) -> Any:
        """Submit the job and wait until it runs.

        Raises:
            Refused: the profile is not for this user, the course has as many GPU servers as it may, or the
                cluster does not know the user.
        """
        profile = self.refuse_what_is_full()
        try:
            pwd.getpwnam(self.user.name)
        except KeyError as error:
            raise Refused(403, f"The cluster has no account {self.user.name!r}. Ask whoever runs it.") from error
        # batchspawner writes all that was sent into the script; this is all that anybody may choose.
        self.user_options = {"profile": profile.name}
        for name, value in slurm_settings(profile).items():
            setattr(self, name, value)
        return await super().start()

    def get_env(self) -> dict[str, str]:
        """The server's environment."""
        threads = str(self.profile.cores)
        return {**super().get_env(), "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}


class PortHandler(BatchSpawnerAPIHandler):  # type: ignore[misc]  # batchspawner's
    """Takes from a server that has started the number of its port, and nothing else."""

    def post(self) -> Any:
        """What a job says when it runs."""
        require_port(self.request.body)
        return super().post()


def require_port(body: bytes) -> None:
    """Check that a job tells its port.

    Raises:
        HTTPError: it says anything else, or more.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPError(400, "expected JSON") from error
    port = said.get("port") if isinstance(said, dict) and set(said) == {"port"} else None
    if type(port) is not int or not 1024 <= port < 65536:
        raise HTTPError(400, "expected a port")


def configure_slurm(c: Any, folder: Path) -> None:
    """Set up a hub on a node of the cluster from which jobs are submitted; the rest is as on one machine.

    Args:
        c: JupyterHub's configuration.
        folder: holds ``courses.toml``, ``profiles.toml``, and the script of a job in ``slurm/server.sh``. The
            compute nodes see it, and this installation, under the same paths.

    Raises:
        UsageError: one of the files is not as it should be.
    """
    configure_machine(c, folder)
    _take_ports_only()
    # The nodes must reach the hub; the cluster's network is taken to be the operator's alone.
    address = os.environ.get(ADDRESS) or socket.getfqdn()
    c.JupyterHub.hub_bind_url = f"http://{address}:{int(os.environ[PORT]) + 1}"
    if public := os.environ.get(PUBLIC):
        c.Spawner.environment["TENSORGRADE_EXCHANGE"] = exchange_address(public.rstrip("/"))
    c.JupyterHub.spawner_class = SlurmProfileSpawner
    c.SlurmProfileSpawner.profiles = list(read_profiles(folder / "profiles.toml"))
    c.SlurmProfileSpawner.courses = list(read_courses(folder / "courses.toml"))
    c.SlurmProfileSpawner.batch_script = (folder / "slurm" / "server.sh").read_text(encoding="utf-8")
    # Whole paths: which program runs does not depend on a person's shell.
    c.SlurmProfileSpawner.batchspawner_singleuser_cmd = str(PROGRAMS / "batchspawner-singleuser")
    c.Spawner.cmd = [str(PROGRAMS / "jupyterhub-singleuser")]
    c.Spawner.start_timeout = 600  # a job waits in the queue


def _take_ports_only() -> None:
    """Put our handler in the place of batchspawner's."""
    for number, (path, handler, *more) in enumerate(default_handlers):
        if handler is BatchSpawnerAPIHandler:
            default_handlers[number] = (path, PortHandler, *more)
