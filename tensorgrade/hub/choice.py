"""The spawn page: which profiles a person may ask for, and whether there is one now."""

from __future__ import annotations

import html
from typing import Any

from tornado.web import HTTPError
from traitlets import Instance, List
from traitlets.config import Configurable

from tensorgrade.hub.courses import HubCourse
from tensorgrade.hub.profiles import Profile, allowed_profiles
from tensorgrade.hub.quota import over_quota

INSTEAD = " Try later, or take a profile without a GPU."
FORM = """<fieldset id="profiles"><legend>What do you need?</legend>{rows}</fieldset>"""
ROW = """<div class="form-check mb-3"><input class="form-check-input" type="radio" name="profile" id="{name}"
value="{name}"{state}><label class="form-check-label" for="{name}"><strong>{title}</strong> <small>{size}</small><br>
{text}</label></div>"""


class Refused(HTTPError):  # type: ignore[misc]  # tornado's
    """A server that is not started, with a sentence for the person who asked."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(status, sentence)
        self.jupyterhub_message = sentence


class ProfileChoice(Configurable):  # type: ignore[misc]  # traitlets'
    """What goes before a spawner of JupyterHub's: the profiles, the courses, and who may have which."""

    user: Any  # JupyterHub's, as are the options
    user_options: dict[str, Any]

    profiles = List(Instance(Profile), help="What a server may use; the first is the default.").tag(config=True)
    courses = List(Instance(HubCourse), help="Who is in which course.").tag(config=True)

    def allowed(self) -> tuple[Profile, ...]:
        """The profiles that this user may ask for."""
        return allowed_profiles(self.profiles, self.courses, self._groups())

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

    def obstacle(self, profile: Profile) -> str:
        """Why this user cannot have a server with this profile now; empty if nothing is in the way."""
        return over_quota(self, self.profiles, self.courses) if profile.gpus else ""

    def remark(self, profile: Profile) -> str:
        """What the spawn page adds to the size of a profile that can be had."""
        return ""

    def refuse_what_is_full(self) -> Profile:
        """The profile that was asked for.

        Raises:
            Refused: it is not for this user, or there is none now.
        """
        if sentence := self.obstacle(profile := self.profile):
            raise Refused(503, sentence + INSTEAD)
        return profile

    def options_from_form(self, form: dict[str, list[str]]) -> dict[str, str]:
        """What the spawn page sends."""
        return {"profile": form.get("profile", [self.profiles[0].name])[0]}

    def _options_form_default(self) -> str:
        rows = []
        for number, profile in enumerate(self.allowed()):
            obstacle = self.obstacle(profile)
            size = f"{profile.cores} cores, {profile.memory_gib:g} GiB, at most {profile.longest_hours} hours"
            notes = [note for note in (size, obstacle or self.remark(profile)) if note]
            state = " disabled" if obstacle else " checked" if number == 0 else ""
            texts = {name: html.escape(getattr(profile, name)) for name in ("name", "title", "text")}
            rows.append(ROW.format(**texts, size=html.escape(". ".join(notes)), state=state))
        return FORM.format(rows="\n".join(rows))

    def _groups(self) -> list[str]:
        return [group.name for group in self.user.groups]
