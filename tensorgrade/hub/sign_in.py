"""Signs people in by passwords of the hub's own."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import bcrypt
from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.orm import UserInfo
from traitlets import Instance

PASSWORD_BYTES = 9  # twelve letters


class CourseAuthenticator(NativeAuthenticator):  # type: ignore[misc]  # JupyterHub's
    """Gives everybody in ``courses.toml`` a first password, which they change at /hub/change-password."""

    first_passwords = Instance(Path, help="The file to which first passwords are added.").tag(config=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for user in sorted(self.allowed_users):
            if not self.user_exists(user):
                self._admit(user)

    def _admit(self, user: str) -> None:
        """Make an account; the password is written down first, so that a kill in between loses none."""
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        with os.fdopen(os.open(self.first_passwords, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            file.write(f"{user} {password}\n")
        # Its own way to make one is closed together with the page for signing up.
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
        self.db.add(UserInfo(username=user, password=hashed, is_authorized=True))
        self.db.commit()
