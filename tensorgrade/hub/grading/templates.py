"""Lets the scripts of formgrader's own templates run, and no other.

Browsers run a script only if it carries a number that is new for every answer (ref: Content Security Policy
Level 3, "nonces"). The number is put into the templates' text before they are filled in, so nothing that a
student wrote can have it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment

NONCE: ContextVar[str] = ContextVar("nonce")
BASE: ContextVar[str] = ContextVar("base")
_SCRIPT = re.compile(r"<script(?=[\s>])")
_HANDLER = re.compile(r"""\son[a-z]+=(["'])(.*?)\1""", re.IGNORECASE)
_OWN_SCRIPT = '<script src="{{ page_base() }}/formgrader/page/page.js"></script>\n</head>'
# Instead of nbconvert's, which asks a public address. What MathJax reads before it starts, it need not evaluate.
_MATHJAX = """{%- macro mathjax(url="") -%}
<script>window.MathJax = {
  TeX: {equationNumbers: {autoNumber: "AMS", useLabelIds: true}},
  tex2jax: {inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]], displayMath: [["$$", "$$"], ["\\\\[", "\\\\]"]],
            processEscapes: true, processEnvironments: true},
  "HTML-CSS": {availableFonts: [], imageFont: null, preferredFont: null, webFont: "STIX-Web"},
  messageStyle: "none", showMathMenu: false};</script>
<script src="{{ page_base() }}/formgrader/mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full,Safe"></script>
{%- endmacro %}"""


class OwnScripts(BaseLoader):
    """Loads templates as another loader does, their scripts marked as ours."""

    def __init__(self, inner: BaseLoader) -> None:
        self.inner = inner

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        """The text of a template; jinja calls this."""
        source, filename, up_to_date = self.inner.get_source(environment, template)
        if Path(template).name == "mathjax.html.j2":
            source = _MATHJAX
        source = source.replace("</head>", _OWN_SCRIPT)
        return _SCRIPT.sub('<script nonce="{{ page_nonce() }}"', source), filename, up_to_date


def with_own_scripts(environment: Environment) -> Environment:
    """Mark the scripts of all templates of an environment."""
    environment.loader = OwnScripts(environment.loader) if environment.loader else None
    environment.globals.update(page_nonce=NONCE.get, page_base=BASE.get)
    return environment


def handler_hashes(folder: Path) -> tuple[str, ...]:
    """What allows the few ``onclick`` of the templates in a folder, by their very text (ref: CSP, 'unsafe-hashes')."""
    texts = {match[2] for path in sorted(folder.rglob("*")) if path.is_file() for match in _handlers(path)}
    digests = (hashlib.sha256(text.encode()).digest() for text in sorted(texts))
    return tuple(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def content_policy(nonce: str, hashes: tuple[str, ...]) -> str:
    """What a page may load and run."""
    rules: dict[str, Any] = {
        "default-src": "'none'",
        "script-src": " ".join([f"'nonce-{nonce}'", "'strict-dynamic'", "'unsafe-hashes'", *hashes]),
        "style-src": "'self' 'unsafe-inline'",  # tables of checks, highlighted code; a style runs nothing
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _handlers(path: Path) -> list[re.Match[str]]:
    return list(_HANDLER.finditer(path.read_text(encoding="utf-8", errors="replace")))
