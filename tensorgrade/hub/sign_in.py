"""Signs people in by passwords of the hub's own."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import Any

import bcrypt
from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.handlers import LoginHandler
from nativeauthenticator.orm import UserInfo
from traitlets import Instance

from tensorgrade.hub.members import CourseMembers

PASSWORD_BYTES = 9  # twelve letters
MAX_PASSWORD_BYTES = 72  # bcrypt knows no longer ones (ref: crypt(5))


class _LoginPage(LoginHandler):  # type: ignore[misc]  # JupyterHub's
    """NativeAuthenticator's page, without what JupyterHub 6 no longer has, and with one hash for each try."""

    async def post(self) -> None:
        """Sign somebody in, or say that this was not possible."""
        data = {name: self.get_argument(name, strip=False) for name in self.request.arguments}
        user = await self.login_user(data)
        if user:
            self._jupyterhub_user = user
            self.redirect(self.get_next_url(user))
        else:
            self.finish(await self._render("Invalid username or password.", data.get("username")))


class CourseAuthenticator(CourseMembers, NativeAuthenticator):  # type: ignore[misc]  # JupyterHub's
    """Gives everybody in ``courses.toml`` a first password, which they change at /hub/change-password."""

    first_passwords = Instance(Path, help="The file to which first passwords are added.").tag(config=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for user in sorted(self.allowed_users):
            if not self.user_exists(user):
                self._admit(user)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """The name of whoever gave the right password; JupyterHub calls this.

        A hash takes a fifth of a second. It is computed beside the hub's loop, so that a class that signs in
        at once holds up nobody's page.
        """
        name, password = self.normalize_username(data.get("username", "")), data.get("password", "").encode()
        user = self.get_user(name)
        if user is None or self.is_blocked(name) or len(password) > MAX_PASSWORD_BYTES:
            return None
        self.add_login_attempt(name)  # before the wait: many guesses at once are many guesses
        if not (await asyncio.to_thread(bcrypt.checkpw, password, user.password) and user.is_authorized):
            return None
        self.successful_login(name)
        return str(name)

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:
        """The pages of signing in; JupyterHub calls this."""
        pages = super().get_handlers(app)
        return [(path, _LoginPage if page is LoginHandler else page) for path, page in pages]

    def _admit(self, user: str) -> None:
        """Make an account; the password is written down first, so that a kill in between loses none."""
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        with os.fdopen(os.open(self.first_passwords, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            file.write(f"{user} {password}\n")
        # Its own way to make one is closed together with the page for signing up.
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
        self.db.add(UserInfo(username=user, password=hashed, is_authorized=True))
        self.db.commit()
