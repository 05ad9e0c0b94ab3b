"""The pages of a launch: where it begins, where it ends, and our public key."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, ClassVar

from jupyterhub.handlers import BaseHandler
from ltiauthenticator.lti13.error import InvalidAudienceError, ValidationError
from ltiauthenticator.lti13.handlers import LTI13CallbackHandler, LTI13LoginInitHandler
from tornado.web import HTTPError

from tensorgrade.lms.keys import public_keys, tool_key

LEEWAY = 5  # seconds by which the clocks of the LMS and the hub may differ
STARTED = time.time()


class StartHandler(LTI13LoginInitHandler):  # type: ignore[misc]
    """Sends the browser to the LMS, with two cookies that it must bring back."""

    def post(self) -> None:
        """Refuse to start for another LMS, before it is told anything.

        Source: 1EdTech Security Framework 1.1, 5.1.1.1: the tool looks up the issuer.
        """
        if self.get_argument("iss", "") != self.authenticator.issuer:
            raise HTTPError(400, "This hub does not know the LMS that sent you here")
        if self.get_argument("client_id", "") not in self.authenticator.client_id:
            raise HTTPError(400, "The LMS calls this hub by a client id that it does not have")
        super().post()

    get = post

    def _set_oauth_cookie(self, key: str, value: str) -> None:
        """A browser leaves out a cookie of a page that another site sends a form to, unless it says None."""
        behind_tls = self.authenticator.get_uri_scheme(self.request) == "https"
        more = {"samesite": "None", "secure": True} if behind_tls else {}
        self._set_cookie(key, value, expires_days=1, httponly=True, encrypted=True, **more)


class LaunchHandler(LTI13CallbackHandler):  # type: ignore[misc]
    """Checks a launch, and that it is the only one with its nonce."""

    _launch: dict[str, Any]
    _used: ClassVar[dict[str, float]] = {}  # by nonce, when its token ends; only of launches that were genuine

    async def post(self) -> None:
        """Sign in; the LMS's keys are fetched beside the hub's other work, which must not wait for them."""
        try:
            self._launch = await asyncio.to_thread(super().decode_and_validate_launch_request)
        except InvalidAudienceError as error:
            raise HTTPError(401, str(error)) from error
        except ValidationError as error:
            raise HTTPError(400, str(error)) from error
        self._use_once()
        await super().post()

    def decode_and_validate_launch_request(self) -> dict[str, Any]:
        """What was checked above."""
        return self._launch

    def _use_once(self) -> None:
        """A second launch with the same token is refused, also one from before a restart of the hub.

        Raises:
            HTTPError: it was used, or may have been.

        Source: OpenID Connect Core 1.0, 15.5.2; 1EdTech Security Framework 1.1, 5.1.3.
        """
        now = time.time()
        for nonce in [nonce for nonce, ends in self._used.items() if ends < now]:
            del self._used[nonce]
        if self._launch["nonce"] in self._used or self._launch["iat"] < STARTED + LEEWAY:
            raise HTTPError(400, "This launch was used before, or the hub has just started. Open it from the LMS again")
        self._used[self._launch["nonce"]] = self._launch["exp"] + LEEWAY


class KeysHandler(BaseHandler):  # type: ignore[misc]
    """Shows the LMS our public key."""

    def get(self) -> None:
        """The key set; anybody may read it."""
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(public_keys(tool_key(self.authenticator.tool_key))))
