"""Starts people's servers on one machine, each with a profile and in a room of its own."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import Any, ClassVar

from jupyterhub.spawner import LocalProcessSpawner
from tornado.web import HTTPError
from traitlets import Callable, Instance, List
from traitlets import Unicode as Text

from tensorgrade.hub.courses import HubCourse
from tensorgrade.hub.folders import Shared
from tensorgrade.hub.profiles import Profile, allowed_profiles
from tensorgrade.hub.room import home_of, room_command

FORM = """<fieldset id="profiles"><legend>What do you need?</legend>{rows}</fieldset>"""
ROW = """<div class="form-check mb-3"><input class="form-check-input" type="radio" name="profile" id="{name}"
value="{name}"{state}><label class="form-check-label" for="{name}"><strong>{title}</strong> <small>{size}</small><br>
{text}</label></div>"""


class Refused(HTTPError):  # type: ignore[misc]  # tornado's
    """A server that is not started, with a sentence for the person who asked."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(status, sentence)
        self.jupyterhub_message = sentence


class ProfileSpawner(LocalProcessSpawner):  # type: ignore[misc]  # JupyterHub's
    """A process of this machine with the limits of a profile; GPUs are handed out one by one."""

    profiles = List(Instance(Profile), help="What a server may use; the first is the default.").tag(config=True)
    courses = List(Instance(HubCourse), help="Who is in which course.").tag(config=True)
    gpus = List(Text(), help="What CUDA_VISIBLE_DEVICES calls the GPUs of this machine.").tag(config=True)
    homes = Instance(Path, help="The folder of the homes.").tag(config=True)
    program = List(Text(), help="What runs in the room.").tag(config=True)
    readable = List(Instance(Path), help="More folders that servers may read.").tag(config=True)

    shared = Callable(lambda groups: Shared(), help="Gives the folders that members of these groups share.").tag(
        config=True
    )

    _held: ClassVar[dict[str, str]] = {}  # by GPU, whose server has it

    def allowed(self) -> tuple[Profile, ...]:
        """The profiles that this user may ask for."""
        groups = [group.name for group in self.user.groups]
        return allowed_profiles(self.profiles, self.courses, groups)

    def _options_form_default(self) -> str:
        rows = []
        for number, profile in enumerate(self.allowed()):
            size = f"{profile.cores} cores, {profile.memory_gib:g} GiB, at most {profile.longest_hours} hours"
            state = " checked" if number == 0 else ""
            if profile.gpus:
                free = len(self._free())
                size += f", {free} of {len(self.gpus)} GPUs free" if self.gpus else ", no GPU on this machine"
                state = "" if free >= profile.gpus else " disabled"
            texts = {name: html.escape(getattr(profile, name)) for name in ("name", "title", "text")}
            rows.append(ROW.format(**texts, size=size, state=state))
        return FORM.format(rows="\n".join(rows))

    def options_from_form(self, form: dict[str, list[str]]) -> dict[str, str]:
        """What the spawn page sends."""
        return {"profile": form.get("profile", [self.profiles[0].name])[0]}

    @property
    def profile(self) -> Profile:
        """What this server was asked for with.

        Raises:
            Refused: this user may not ask for it, or it does not exist, which is the same answer.
        """
        name = self.user_options.get("profile", self.profiles[0].name)
        for profile in self.allowed():
            if profile.name == name:
                return profile
        raise Refused(403, f"No profile {name!r} for you.")

    async def start(self) -> Any:
        """Start the server, with a GPU where the profile has one.

        Raises:
            Refused: the profile is not for this user, or no GPU is free.
        """
        profile = self.profile
        self._gpus: list[str] = []
        if profile.gpus:
            free = self._free()
            if len(free) < profile.gpus:
                raise Refused(503, "No GPU on this machine." if not self.gpus else "All GPUs are in use. Try later.")
            self._hold(free[: profile.gpus])
        home = home_of(self.user.name, self.homes)
        shared = self.shared({group.name for group in self.user.groups})
        shared.link_from(home)
        binds = (*self.readable, *shared.readable)
        self.cmd = [*room_command(home, binds, shared.writable, shared.groups), *self.program]
        self.cpu_limit, self.mem_limit = profile.cores, f"{profile.memory_gib:g}G"
        try:
            return await super().start()
        except BaseException:
            self._release()
            raise

    async def stop(self, now: bool = False) -> None:
        """Stop the server; its GPU is free again."""
        await super().stop(now=now)
        self._release()

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
        """Nothing: the room's first step is to drop the hub's rights."""
        return lambda: None

    async def poll(self) -> int | None:
        """None while anything in the room still runs; JupyterHub calls this."""
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
        return {**super().get_state(), "gpus": getattr(self, "_gpus", [])}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a server that ran before the hub was restarted."""
        super().load_state(state)
        self._hold(state.get("gpus", []))

    def clear_state(self) -> None:
        """Forget a server that has ended."""
        super().clear_state()
        self._release()

    def _free(self) -> list[str]:
        return [gpu for gpu in self.gpus if gpu not in self._held]

    def _hold(self, gpus: list[str]) -> None:
        self._gpus = gpus
        self._held.update(dict.fromkeys(gpus, self.user.name))

    def _release(self) -> None:
        for gpu in getattr(self, "_gpus", []):
            self._held.pop(gpu, None)
        self._gpus = []
