"""Starts people's servers on one machine, each with a profile and in a room of its own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, ClassVar

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Callable, Instance, List
from traitlets import Unicode as Text

from tensorgrade.hub.cgroups import end_group, enforcement, entering, limit_server
from tensorgrade.hub.choice import ProfileChoice
from tensorgrade.hub.folders import Shared
from tensorgrade.hub.gpus import Gpu, device_paths, find_gpus
from tensorgrade.hub.profiles import Profile
from tensorgrade.hub.room import home_of, room_command

# The hub's pages come first while a class starts its servers (ref: nice(1)).
AFTER_THE_HUB = ("/usr/bin/nice", "-n", "10")


class ProfileSpawner(ProfileChoice, LocalProcessSpawner):  # type: ignore[misc]  # JupyterHub's
    """A process of this machine with the limits of a profile; GPUs are handed out one by one."""

    gpus = List(Instance(Gpu), help="The GPUs to hand out; all of this machine if nothing else is said.").tag(
        config=True
    )
    homes = Instance(Path, help="The folder of the homes.").tag(config=True)
    program = List(Text(), help="What runs in the room.").tag(config=True)
    readable = List(Instance(Path), help="More folders that servers may read.").tag(config=True)

    shared = Callable(lambda groups: Shared(), help="Gives the folders that members of these groups share.").tag(
        config=True
    )

    _held: ClassVar[dict[str, str]] = {}  # by GPU, whose server has it
    _group: Path | None = None  # the control group of the server
    _made_for: tuple[str, ...] = ()  # the user's groups, when the room was made

    def _gpus_default(self) -> list[Gpu]:
        return list(find_gpus())

    def obstacle(self, profile: Profile) -> str:
        """Why this user cannot have a server with this profile now: the course's quota, or this machine's GPUs."""
        if not profile.gpus:
            return ""
        if not self.gpus:
            return "No GPU on this machine."
        if len(self._free()) < profile.gpus:
            return f"All {len(self.gpus)} GPUs of this machine are in use."
        return super().obstacle(profile)

    def remark(self, profile: Profile) -> str:
        """How many GPUs are left."""
        return f"{len(self._free())} of {len(self.gpus)} GPUs free" if profile.gpus else ""

    async def start(self) -> Any:
        """Start the server, with a GPU where the profile has one.

        Raises:
            Refused: the profile is not for this user, or there is no GPU for one more server.
        """
        profile = self.refuse_what_is_full()
        self._hold([gpu.uuid for gpu in self._free()[: profile.gpus]])
        try:
            self._prepare(profile)
            return await super().start()
        except BaseException:
            self._release()
            raise

    def _prepare(self, profile: Profile) -> None:
        """The command, and the limits that it will run under."""
        mine = tuple(gpu for gpu in self.gpus if gpu.uuid in self._gpus)
        if not all(gpu.nodes for gpu in mine):
            self.log.warning("%s: the GPU's device node is not known, so it can reach all GPUs", self._log_name)
        home = home_of(self.user.name, self.homes)
        self._made_for = tuple(self._groups())
        shared = self.shared(set(self._made_for))
        shared.link_from(home)
        binds = (*self.readable, *shared.readable)
        room = room_command(home, binds, shared.writable, shared.groups, device_paths(mine))
        self.cmd = [*AFTER_THE_HUB, *room, *self.program]
        self.cpu_limit, self.mem_limit = profile.cores, f"{profile.memory_gib:g}G"
        self._group = self._limited(profile)

    def _limited(self, profile: Profile) -> Path | None:
        """The group in which the kernel holds the server to its limits, if this machine has such groups."""
        possible = enforcement()
        if possible.folder is None:
            self.log.warning("%s is not held to its cores and memory: %s", self._log_name, possible.reason)
            return None
        return limit_server(possible.folder, self.user.name, profile)

    async def stop(self, now: bool = False) -> None:
        """Stop the server; its GPU is free again."""
        await super().stop(now=now)
        self._release()
        if folder := enforcement().folder:
            await self._end_group(folder)

    async def _end_group(self, folder: Path) -> None:
        """The kernel needs a moment to bury what it has killed."""
        for _ in range(50):
            if end_group(folder, self.user.name):
                return
            await asyncio.sleep(0.1)
        self.log.warning("%s has ended, but not all that it started", self._log_name)

    def get_env(self) -> dict[str, str]:
        """The server's environment."""
        env: dict[str, str] = super().get_env()
        env["CUDA_VISIBLE_DEVICES"] = ",".join(getattr(self, "_gpus", []))
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            env[name] = str(self.profile.cores)
        return env

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Who the server is and where its files are; JupyterHub calls this."""
        home = home_of(self.user.name, self.homes)
        # Sockets have paths of at most 107 bytes, and a kernel's has 60 of them (ref: unix(7)).
        return {
            **env,
            "USER": self.user.name,
            "HOME": str(home),
            "SHELL": "/bin/bash",
            "JUPYTER_RUNTIME_DIR": "/tmp/jupyter",  # noqa: S108 - the room's own
        }

    def make_preexec_fn(self, name: str) -> Any:
        """Step into the server's group; to drop the hub's rights is the room's first step.

        Without one there is nothing to do, and the hub need not wait until a copy of itself has done it.
        """
        return entering(self._group) if self._group else None

    async def poll(self) -> int | None:
        """None while anything in the room still runs; JupyterHub calls this twice a minute, and at its start.

        A room that was made for a group which its user has lost ends here: it shows the files of that group.
        """
        if self.pid and set(self._made_for) - set(self._groups()):
            self._made_for = ()
            self.log.warning("%s is stopped: its user has lost a group", self._log_name)
            await self.stop()
        status: int | None = await super().poll()
        return None if self.pid and await self._signal(0) else status

    async def _signal(self, sig: int) -> bool:
        """Reach everything in the room, not only what holds it open."""
        try:
            os.killpg(self.pid, sig)
        except ProcessLookupError:
            return False
        return True

    def get_state(self) -> dict[str, Any]:
        """What survives a restart of the hub."""
        return {**super().get_state(), "gpus": getattr(self, "_gpus", []), "made_for": list(self._made_for)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a server that ran before the hub was restarted."""
        super().load_state(state)
        self._hold(state.get("gpus", []))
        self._made_for = tuple(state.get("made_for", []))

    def clear_state(self) -> None:
        """Forget a server that has ended."""
        super().clear_state()
        self._release()
        self._made_for = ()

    def _free(self) -> list[Gpu]:
        return [gpu for gpu in self.gpus if gpu.uuid not in self._held]

    def _hold(self, gpus: list[str]) -> None:
        self._gpus = gpus
        self._held.update(dict.fromkeys(gpus, self.user.name))

    def _release(self) -> None:
        for gpu in getattr(self, "_gpus", []):
            self._held.pop(gpu, None)
        self._gpus = []
