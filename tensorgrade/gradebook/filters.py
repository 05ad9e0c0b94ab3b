"""Turns the texts of cells into HTML, in time that no text can stretch; `configure` names these filters."""

from __future__ import annotations

import html
import re
from typing import Any

from jinja2 import pass_context
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat.notebooknode import NotebookNode

from tensorgrade.notebooks import is_locked
from tensorgrade.notebooks.outputs import sanitise_html

# Lexers and parsers take time with the square of what they are given; a hundred thousand characters took an hour.
TEXT_OF_A_CELL = 20_000  # characters; the slowest text of this length took half a second
TEXT_OF_A_NOTEBOOK = 400_000  # characters
_SLOW_TO_COLOUR = re.compile(r"[^\n]{1001}|\s{201}")  # a line of "a.a.a.a", a page of blanks


@pass_context
def highlight_code(context: Any, source: str, **options: Any) -> str:
    """Colour the code of a cell; what would take long stays black."""
    if _is_too_long(context, source) or _SLOW_TO_COLOUR.search(source):
        return f'<div class="highlight"><pre>{html.escape(source)}</pre></div>'
    lexer = context.get("nb", {}).get("metadata", {}).get("language_info", {}).get("pygments_lexer") or "ipython3"
    coloured: str = Highlight2HTML(pygments_lexer=lexer)(source, **options)
    return coloured


@pass_context
def markdown_to_html(context: Any, source: str) -> str:
    """Render a text cell; a student's without anything that runs, loads or covers the page."""
    cell = context.get("cell") or NotebookNode()
    plain = f"<pre>{html.escape(source)}</pre>"
    if not is_locked(cell) and _is_too_long(context, source):
        return plain
    renderer = IPythonRenderer(escape=False, attachments=cell.get("attachments", {}), exclude_anchor_links=True)
    try:
        rendered: str = MarkdownWithMath(renderer=renderer).render(source)
    except Exception:  # an image whose attachment is gone, say; the text can still be read
        return plain
    if is_locked(cell):
        return rendered
    return sanitise_html(rendered, links=True) or plain


def _is_too_long(context: Any, source: str) -> bool:
    """Whether a cell, or its notebook, has more text than is worth the time."""
    cells = context.get("nb", {}).get("cells", ())
    return len(source) > TEXT_OF_A_CELL or sum(len(cell.get("source", "")) for cell in cells) > TEXT_OF_A_NOTEBOOK
