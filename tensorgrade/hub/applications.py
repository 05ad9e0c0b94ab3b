"""Lets a service of the hub answer before it has loaded, and change what answers once it has."""

from __future__ import annotations

from typing import Any

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application


class Current(Router):  # type: ignore[misc]  # tornado's
    """Gives each request to the application that serves at the moment the request comes.

    A server asks its `request_callback` about the next request of a connection as soon as the last one is answered.
    The hub's proxy keeps connections: what comes over one of them long after the start would meet what served then.

    Attributes:
        application: what serves.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    def find_handler(self, request: HTTPServerRequest, **more: Any) -> HTTPMessageDelegate:
        """What takes this request; tornado calls this when its headers have come."""
        return self.application.find_handler(request, **more)
