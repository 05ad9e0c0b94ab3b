"""Signs people in from an LMS (LTI 1.3): their role in the course there is their role here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ltiauthenticator.lti13.auth import LTI13Authenticator
from tornado.web import HTTPError
from traitlets import Instance, List
from traitlets import Unicode as Text

from tensorgrade.hub.access import groups_of
from tensorgrade.hub.courses import HubCourse
from tensorgrade.hub.lti_handlers import KeysHandler, LaunchHandler, StartHandler
from tensorgrade.hub.sign_in import CourseAuthenticator
from tensorgrade.lms.launch import CLAIM, GRADES, MEMBERS, Role, Services, role_of, write_services
from tensorgrade.lms.people import LAUNCHED, user_of

KEPT = ("iss", "sub", "email", "given_name", "family_name", f"{CLAIM}context", f"{CLAIM}deployment_id", GRADES, MEMBERS)


class LaunchRefused(HTTPError):  # type: ignore[misc]  # tornado's
    """A launch that leads nowhere, with a sentence for the person who came."""

    def __init__(self, sentence: str) -> None:
        super().__init__(403, sentence)
        self.jupyterhub_message = sentence


class LaunchAuthenticator(LTI13Authenticator, CourseAuthenticator):  # type: ignore[misc]  # JupyterHub's
    """People come from the LMS; those whom ``courses.toml`` names can use a password too.

    JupyterHub's groups are set at every sign-in: who is no longer a TA in the LMS is none here from the next
    launch on. Groups in other courses stay.
    """

    deployments = List(Text(), help="The deployments that may launch; empty: all of this client.").tag(config=True)
    services = Instance(Path, help="The folder in which the addresses of the LMS's services are kept.").tag(config=True)
    tool_key = Instance(Path, help="The file of the private key for these services.").tag(config=True)

    login_service = ""  # the page for a password has a form, not a button
    login_handler = StartHandler
    callback_handler = LaunchHandler

    def login_url(self, base_url: str) -> str:
        """The page with the password: a launch begins in the LMS."""
        return str(CourseAuthenticator.login_url(self, base_url))

    def start_url(self, base_url: str) -> str:
        """Where the LMS begins a launch."""
        return str(LTI13Authenticator.login_url(self, base_url))

    def get_handlers(self, app: Any) -> list[Any]:
        """The pages for a launch, and those for a password."""
        ours = [
            (self.start_url(""), self.login_handler),
            (self.callback_url(""), self.callback_handler),
            ("/lti13/jwks.json", KeysHandler),
        ]
        return [*ours, *CourseAuthenticator.get_handlers(self, app)]

    async def authenticate(self, handler: Any, data: Any = None) -> Any:
        """The name, the groups, and of a launch what the hub keeps in secret.

        Raises:
            LaunchRefused: the launch is genuine, but not from a course of this hub.
        """
        if isinstance(handler, LaunchHandler):
            return self._launched(handler, data)
        name = await CourseAuthenticator.authenticate(self, handler, data)
        if name is None:
            return None
        return {
            "name": name,
            "groups": [group for group, who in groups_of(self.courses).items() if name in who["users"]],
        }

    def check_allowed(self, username: str, authentication: Any = None) -> Any:
        """A launch that `authenticate` let through; or a password of somebody in ``courses.toml``."""
        if username.startswith(LAUNCHED):
            return bool(authentication and authentication.get("auth_state"))
        return CourseAuthenticator.check_allowed(self, username, authentication)

    def lasting_groups(self, user: Any) -> set[str]:
        """Of those from the LMS the groups of the last launch, in courses that are still there."""
        if user.name.startswith(LAUNCHED):
            return {group.name for group in user.groups} & set(groups_of(self.courses))
        return super().lasting_groups(user)

    def _launched(self, handler: Any, launch: dict[str, Any]) -> dict[str, Any]:
        """Who comes; all signatures and dates are checked already."""
        if self.deployments and str(launch[f"{CLAIM}deployment_id"]) not in self.deployments:
            raise LaunchRefused("This hub is not set up for this deployment of the tool. Ask the operator of the hub.")
        if not launch.get("sub"):
            raise LaunchRefused("The LMS did not say who you are. Its administrator must let the tool know users.")
        services = Services.of(launch)
        course = next((one for one in self.courses if services.context and one.lms_context == services.context), None)
        if course is None:
            raise LaunchRefused(
                "This course is not on this hub yet. Its operator adds it with "
                f"lms_context = {services.context!r} in courses.toml."
            )
        name = user_of(launch["iss"], launch["sub"])
        role = _appointed(course, name) or role_of(launch[f"{CLAIM}roles"])
        groups = sorted({*_groups(course, role), *self._elsewhere(handler, name, course)})
        if role is None:
            self._demote(handler, name, groups)
            raise LaunchRefused(
                f"Your role in {course.title} has no place on this hub: it has students, TAs and instructors."
            )
        write_services(self.services / f"{course.name}.json", services)
        state = {key: launch[key] for key in KEPT if key in launch}
        return {"name": name, "groups": groups, "auth_state": state}

    def _elsewhere(self, handler: Any, name: str, course: HubCourse) -> set[str]:
        """The groups in the hub's other courses, from earlier launches."""
        user = handler.find_user(name)
        others = groups_of(one for one in self.courses if one.name != course.name)
        return {group.name for group in user.groups if group.name in others} if user else set()

    def _demote(self, handler: Any, name: str, groups: list[str]) -> None:
        """Take effect although nobody is signed in."""
        user = handler.find_user(name)
        if user:
            user.sync_groups(groups)


def _appointed(course: HubCourse, name: str) -> Role | None:
    """What ``courses.toml`` makes of somebody; Moodle's non-editing teachers come as students."""
    if name in course.instructors:
        return Role.INSTRUCTOR
    return Role.TA if name in course.tas else None


def _groups(course: HubCourse, role: Role | None) -> tuple[str, ...]:
    """The groups of a role; nbgrader asks for the first of each."""
    groups = {
        Role.STUDENT: (course.student_group,),
        Role.TA: (course.staff_group,),
        Role.INSTRUCTOR: (course.staff_group, course.instructor_group),
    }
    return groups[role] if role else ()
