"""Sets up the hub of a Kubernetes cluster, on top of what Zero to JupyterHub has set up."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorgrade.hub.access import groups_of, roles_of
from tensorgrade.hub.choice import INSTEAD, Refused
from tensorgrade.hub.configure import CSP
from tensorgrade.hub.courses import HubCourse, read_courses
from tensorgrade.hub.culler import culler_service
from tensorgrade.hub.profiles import Profile, allowed_profiles, read_profiles
from tensorgrade.hub.quota import over_quota
from tensorgrade.hub.rendering import kubernetes_profile

HUB_API = "http://localhost:8081/hub/api"  # in the hub's own pod; the network policy closes the way around
SETTINGS = Path("/opt/tensorgrade/jupyter")  # hub_config/jupyter in the images


def configure_kubernetes(c: Any, folder: Path, images: str) -> None:
    """Give the chart's hub the courses, their roles, and profiles that only those may ask for who have them.

    Args:
        c: JupyterHub's configuration, as the chart has filled it.
        folder: holds ``courses.toml`` and ``profiles.toml``.
        images: the address of an image, with {image} in the place of its name.

    Raises:
        UsageError: one of the files is not as it should be.
    """
    courses, profiles = read_courses(folder / "courses.toml"), read_profiles(folder / "profiles.toml")
    _people(c, courses)
    c.JupyterHub.load_roles.extend(roles_of(courses))
    c.JupyterHub.services.append(culler_service(sys.executable, folder / "profiles.toml", HUB_API))
    c.JupyterHub.tornado_settings.update({"headers": {"Content-Security-Policy": CSP}})
    # A function, so that KubeSpawner checks a request through the API against the same list as the page.
    c.KubeSpawner.profile_list = offered_profiles(profiles, courses, images)
    c.Spawner.pre_spawn_hook = refusal_hook(profiles, courses)
    c.KubeSpawner.environment.update({"JUPYTER_CONFIG_PATH": settings_path(courses, SETTINGS)})
    c.Spawner.disable_user_config = True


def _people(c: Any, courses: tuple[HubCourse, ...]) -> None:
    """Those in ``courses.toml``; where sign-in brings the groups with it, JupyterHub wants none from here."""
    c.Authenticator.admin_users = set()
    if not c.Authenticator.get("manage_groups", False):
        c.JupyterHub.load_groups = groups_of(courses)
        c.Authenticator.allowed_users = {user for course in courses for user in (*course.staff, *course.students)}
        c.Authenticator.allow_existing_users = False  # who is taken out of the file stays out
        c.CourseMembers.courses = list(courses)
        if c.JupyterHub.get("authenticator_class") == "generic-oauth":
            from tensorgrade.hub.oauth import CourseOAuthenticator

            c.JupyterHub.authenticator_class = CourseOAuthenticator


def offered_profiles(
    profiles: tuple[Profile, ...], courses: tuple[HubCourse, ...], images: str
) -> Callable[[Any], list[dict[str, Any]]]:
    """KubeSpawner's ``profile_list``: what the user of a spawner may have, and why not now."""

    def offer(spawner: Any) -> list[dict[str, Any]]:
        mine = allowed_profiles(profiles, courses, [group.name for group in spawner.user.groups])
        entries = [kubernetes_profile(profile, images, default=profile == profiles[0]) for profile in mine]
        for entry, profile in zip(entries, mine, strict=True):
            if profile.gpus and (sentence := over_quota(spawner, profiles, courses)):
                entry["description"] += f" {sentence}"
        return entries

    return offer


def refusal_hook(profiles: tuple[Profile, ...], courses: tuple[HubCourse, ...]) -> Callable[[Any], None]:
    """JupyterHub's ``pre_spawn_hook``: refuse with a sentence what the page would not have offered."""

    def refuse(spawner: Any) -> None:
        name = spawner.user_options.get("profile") or profiles[0].name
        mine = {one.name: one for one in allowed_profiles(profiles, courses, [row.name for row in spawner.user.groups])}
        if name not in mine:
            raise Refused(403, f"No profile {name!r} for you.")
        if mine[name].gpus and (sentence := over_quota(spawner, profiles, courses)):
            raise Refused(503, sentence + INSTEAD)

    return refuse


def settings_path(courses: tuple[HubCourse, ...], folder: Path) -> Callable[[Any], str]:
    """For a server's ``JUPYTER_CONFIG_PATH``: which of nbgrader's extensions its user's role has."""
    staff = {course.staff_group for course in courses}

    def path(spawner: Any) -> str:
        role = "staff" if staff & {group.name for group in spawner.user.groups} else "student"
        return os.pathsep.join(str(folder / name) for name in (role, "all"))

    return path
