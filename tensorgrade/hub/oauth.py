"""Signs people in where the university does (OAuth): who is in a course stands in ``courses.toml``."""

from __future__ import annotations

from oauthenticator.generic import GenericOAuthenticator

from tensorgrade.hub.members import CourseMembers


class CourseOAuthenticator(CourseMembers, GenericOAuthenticator):  # type: ignore[misc]  # JupyterHub's
    """GenericOAuthenticator, with its settings and their names."""
