"""Takes back what somebody has who is no longer in a course, or has another role there."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from jupyterhub.auth import Authenticator
from traitlets import Instance, List

from tensorgrade.hub.access import groups_of
from tensorgrade.hub.courses import HubCourse


class CourseMembers(Authenticator):  # type: ignore[misc]  # JupyterHub's
    """What every way to sign in has in common: at the hub's start nobody keeps what the files do not say.

    JupyterHub itself only adds to groups, and they hold whatever a person may do.
    """

    courses = List(Instance(HubCourse), help="Who is in which course.").tag(config=True)

    def add_user(self, user: Any) -> None:
        """Look at an account; JupyterHub calls this for each one when it starts, and for each new one."""
        wanted = self.lasting_groups(user)
        for group in [group for group in user.groups if group.name not in wanted]:
            self.log.warning("%s is no longer in the group %s", user.name, group.name)
            user.groups.remove(group)
        if not wanted:
            _shut_out(getattr(user, "orm_user", user))
        super().add_user(user)

    def lasting_groups(self, user: Any) -> set[str]:
        """The groups that somebody keeps over a start of the hub."""
        return {group for group, who in groups_of(self.courses).items() if user.name in who["users"]}


def _shut_out(user: orm.User) -> None:
    """End what somebody who is in no course has been signed in with: tokens, and cookies, which hold the cookie_id."""
    user.api_tokens.clear()  # rows without their user are deleted
    user.oauth_codes.clear()
    user.cookie_id = orm.new_token()
