"""Makes what a student's cell printed safe to display."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

import nh3
from nbformat.notebooknode import NotebookNode

OUTPUT_BYTES = 256 * 1024
OUTPUTS_OF_A_CELL = 500
HTML_TAGS = 5000  # a parser takes time with the square of open tags: 0.05 s for these, 4 s for 50,000
HTML_DEPTH = 60  # BeautifulSoup, which nbconvert runs over a page, recurses once per level

_HTML_TAGS = {
    *("b", "em", "i", "u", "s", "q", "small", "span", "strong", "sub", "sup", "ins", "del", "code", "kbd", "samp"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "pre", "blockquote", "br", "hr", "img", "var"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "ul", "ol", "li", "dl", "dt", "dd"),
}
_HTML_ATTRIBUTES = {
    "*": {"style", "title"},
    "img": {"src", "alt", "width", "height"},
    "table": {"border"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
# Nothing here moves, hides or enlarges an element: a student's output cannot cover the score beside it.
_STYLE_PROPERTIES = {"background-color", "color", "font-style", "font-weight", "text-align", "vertical-align"}
_STYLE = re.compile(r"[\w\s#:;.,%()-]*")  # no quote, slash or backslash: no address in any spelling
_VOID_TAGS = {"br", "hr", "img"}
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)")
_DATA_IMAGE = re.compile(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/=\s]+)")
# MathJax, which nbgrader's pages load, makes links and attributes out of these commands.
_MATHJAX_MARKUP = re.compile(
    r"\\(href|url|require|style|class|cssId|data|unicode|mmlToken|bbox|enclose|html[A-Za-z]*)(?![A-Za-z])"
)
# Codes 38 and 48 take a colour after them; one that is cut short raises in nbconvert's ansi2html.
_BYTE = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_CODE = rf"(?:[34]8;5;{_BYTE}|[34]8;2;{_BYTE};{_BYTE};{_BYTE}|(?!0?[34]8[;m])\d{{1,3}})"
_COLOUR = re.compile(rf"\x1b\[(?:{_CODE}(?:;{_CODE}){{0,8}})?m")
_ESCAPE = re.compile(
    r"\x1b\][^\x07\x1b\n]{0,1000}(?:\x07|\x1b\\)?"  # operating system commands: titles, links
    r"|\x1b\[[0-?]{0,100}[ -/]{0,10}[@-~]?"  # control sequences
    r"|\x1b[@-Z\\^_]?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x0d\x0e-\x1a\x1c-\x1f\x7f\x80-\x9f]")
_IMAGE_MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


class _Budget:
    """The bytes that a cell may still show."""

    def __init__(self, limit_bytes: int) -> None:
        self.left = limit_bytes

    def text(self, text: str) -> str:
        """Take a text, its middle left out where it is too long."""
        size = len(text.encode("utf-8", "replace"))
        shown = shorten(text, self.left)
        self.left = max(0, self.left - min(size, self.left))
        return shown

    def whole(self, text: str) -> bool:
        """Take a text whole or not at all: half a table or half an image is worth nothing."""
        fits = len(text) <= self.left
        self.left -= len(text) if fits else 0
        return fits


def shorten(text: str, limit_bytes: int) -> str:
    """Cut the middle out of a text that is too long, and say how much."""
    content = text.encode("utf-8", "replace")
    if len(content) <= limit_bytes:
        return content.decode("utf-8")
    head = content[: limit_bytes * 3 // 4].decode("utf-8", "ignore")
    tail = content[len(content) - limit_bytes // 4 :].decode("utf-8", "ignore")
    missing = len(content) - len(head.encode()) - len(tail.encode())
    return f"{head}\n… {missing:,} bytes left out …\n{tail}"


def sanitise_text(text: str) -> str:
    """Keep the colours of a terminal and drop all else that is not text."""
    # A progress bar overwrites its line; only what remains on the line is kept.
    text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    text = _ESCAPE.sub(lambda match: match[0] if _COLOUR.fullmatch(match[0]) else "", text)
    return _CONTROL.sub("", text)


def sanitise_html(html: str, *, links: bool = False) -> str | None:
    """Keep tables, text and small images; None where nothing can be kept.

    No script, no form, no remote address, no style that moves an element, and no link unless asked for.
    """
    if html.count("<") > HTML_TAGS:
        return None
    clean = nh3.clean(
        html,
        tags=_HTML_TAGS | ({"a"} if links else set()),
        clean_content_tags={"script", "style", "svg", "math", "template", "noscript", "iframe"},
        attributes=_HTML_ATTRIBUTES | ({"a": {"href"}} if links else {}),
        attribute_filter=_keep_attribute,
        allowed_classes={"table": {"dataframe"}},
        filter_style_properties=_STYLE_PROPERTIES,
        url_schemes={"data", "http", "https", "mailto"},
    )
    return sanitise_latex(clean) if _depth(clean) <= HTML_DEPTH and clean.strip() else None


def sanitise_latex(text: str) -> str:
    """Take the commands out by which MathJax would make links and attributes."""
    return _MATHJAX_MARKUP.sub(r"\\mathrm", text)


def _keep_attribute(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "style":
        return value if _STYLE.fullmatch(value) and "url" not in value.lower() else None
    if attribute == "href":
        return value if value.startswith(("http:", "https:", "mailto:", "#")) else None
    if attribute != "src":
        return value
    match = _DATA_IMAGE.fullmatch(value)
    return value if match and _image(match[2], f"image/{match[1]}") else None


def _depth(html: str) -> int:
    depth = deepest = 0
    for closing, tag in _TAG.findall(html):
        if tag not in _VOID_TAGS:
            depth += -1 if closing else 1
            deepest = max(deepest, depth)
    return deepest


def _image(content: str, mime: str) -> str | None:
    try:
        raw = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return base64.b64encode(raw).decode() if raw.startswith(_IMAGE_MAGIC[mime]) else None


def joined(value: object) -> str | None:
    """The text of a notebook field, which may be a string or a list of lines; else None."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "".join(value)
    # A lone surrogate is legal in JSON and cannot be written to a file.
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else None


def sanitise_outputs(outputs: object, limit_bytes: int = OUTPUT_BYTES) -> list[NotebookNode]:
    """Keep of a cell's outputs what is well formed and harmless.

    Args:
        outputs: what the worker sent; nothing about it is believed.
        limit_bytes: all outputs together, in bytes; what is cut is stated in the output.
    """
    pieces = _merged([output for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else [])
    budget = _Budget(limit_bytes)
    kept: list[NotebookNode] = []
    handled = 0
    while handled < min(len(pieces), OUTPUTS_OF_A_CELL) and budget.left > 0:
        clean = _CLEANERS.get(str(pieces[handled].get("output_type")), _drop)(pieces[handled], budget)
        kept += [clean] if clean is not None else []
        handled += 1
    if handled < len(pieces):
        kept.append(_stream("stdout", f"… {len(pieces) - handled:,} outputs left out …\n"))
    return kept


def _merged(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join neighbouring pieces of one stream: a loop that prints makes one output, not thousands."""
    groups: list[tuple[dict[str, Any], list[str]]] = []
    for output in outputs:
        text = joined(output.get("text")) if output.get("output_type") == "stream" else None
        last = groups[-1] if groups else None
        if last and text is not None and last[1] and last[0].get("name") == output.get("name"):
            last[1].append(text)
        else:
            groups.append((output, [] if text is None else [text]))
    return [{**output, "text": "".join(texts)} if texts else output for output, texts in groups]


def _drop(output: dict[str, Any], budget: _Budget) -> None:
    return None


def _stream(name: str, text: str) -> NotebookNode:
    return NotebookNode(output_type="stream", name=name, text=text)


def _clean_stream(output: dict[str, Any], budget: _Budget) -> NotebookNode | None:
    text = joined(output.get("text"))
    name = "stderr" if output.get("name") == "stderr" else "stdout"
    return _stream(name, budget.text(sanitise_text(text))) if text else None


def _clean_error(output: dict[str, Any], budget: _Budget) -> NotebookNode | None:
    lines = output.get("traceback")
    text = "\n".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else ""
    name, value = (shorten(sanitise_text(joined(output.get(key)) or ""), 2000) for key in ("ename", "evalue"))
    if not (text or name or value):
        return None
    shown = budget.text(sanitise_text(joined(text) or "")) or f"{name}: {value}"
    return NotebookNode(output_type="error", ename=name, evalue=value, traceback=shown.split("\n"))


def _clean_data(output: dict[str, Any], budget: _Budget) -> NotebookNode | None:
    bundle = output.get("data")
    data = NotebookNode()
    for mime, clean in _MIME_TYPES.items():
        text = joined(bundle.get(mime)) if isinstance(bundle, dict) else None
        if not text:
            continue
        if mime == "text/plain":
            data.setdefault(mime, budget.text(sanitise_text(text)))
        elif not budget.whole(text):
            data["text/plain"] = f"… {len(text):,} bytes of {mime} left out …"
        elif (cleaned := clean(text)) is not None:
            data["text/plain" if mime == "text/markdown" else mime] = cleaned
    if not any(data.values()):
        return None
    result = NotebookNode(output_type=output["output_type"], data=data, metadata=NotebookNode())
    if result.output_type == "execute_result":
        count = output.get("execution_count")
        result.execution_count = count if type(count) is int and 0 <= count < 10**9 else None
    return result


_CLEANERS: dict[str, Callable[[dict[str, Any], _Budget], NotebookNode | None]] = {
    "stream": _clean_stream,
    "error": _clean_error,
    "display_data": _clean_data,
    "execute_result": _clean_data,
}
# Markdown is shown as the text that it is: rendered, it could hold any HTML and any link.
_MIME_TYPES: dict[str, Callable[[str], str | None]] = {
    "text/html": sanitise_html,
    "image/png": lambda text: _image(text, "image/png"),
    "image/jpeg": lambda text: _image(text, "image/jpeg"),
    "text/latex": sanitise_latex,
    "text/markdown": sanitise_text,
    "text/plain": sanitise_text,
}
