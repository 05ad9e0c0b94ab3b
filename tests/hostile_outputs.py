"""Outputs and texts that try to run in the browser of whoever reads them, and ordinary ones that must still show."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from playwright.sync_api import Page

ELSEWHERE = "http://attacker.invalid"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
# What each payload does: it says its name to the window on top. A slash would end some of the quotings below.
RUNS = "top.ran=(top.ran||[]).concat(`{name}`)"
HTML = {
    "script": "<script>{js}</script>",
    "script-src": f"<script src='{ELSEWHERE}/x.js'></script>",
    "script-type": "<script type=module>{js}</script>",
    "img-onerror": "<img src=x onerror='{js}'>",
    "img-quoteless": "<img/src=x/onerror={js}>",
    "svg-onload": "<svg onload='{js}'></svg>",
    "svg-script": "<svg><script>{js}</script></svg>",
    "svg-animate": "<svg><a><animate attributeName=href values='javascript:{js}'/><text y=20>click me</text></a></svg>",
    "svg-use": "<svg><use href='data:image/svg+xml,"
    "<svg id=x xmlns=http://www.w3.org/2000/svg onload={js}></svg>#x'/></svg>",
    "body-onload": "<body onload='{js}'>",
    "details": "<details open ontoggle='{js}'>x</details>",
    "autofocus": "<input autofocus onfocus='{js}'>",
    "hover": "<b onmouseover='{js}'>hover over this</b>",
    "video": "<video><source onerror='{js}'></video>",
    "marquee": "<marquee onstart='{js}'>x</marquee>",
    "animation": "<style>@keyframes k{{}}</style>"
    "<p style='animation-name:k;animation-duration:1ms' onanimationstart='{js}'>x</p>",
    "iframe-srcdoc": '<iframe srcdoc="<script>{js}</script>"></iframe>',
    "iframe-javascript": "<iframe src='javascript:{js}'></iframe>",
    "object": "<object data='data:text/html,<script>{js}</script>'></object>",
    "embed": f"<embed src='{ELSEWHERE}/x.swf'>",
    "link-javascript": "<a href='javascript:{js}'>click</a>",
    "link-entities": "<a href='&#106;ava&Tab;script&colon;{js}'>click</a>",
    "link-control": "<a href='\x01java\nscript:{js}'>click</a>",
    "link-data": "<a href='data:text/html,<script>{js}</script>' target=_top>click</a>",
    "form": "<form action='javascript:{js}'><button>click</button></form>"
    "<button formaction='javascript:{js}'>click</button>",
    "math": "<math><maction actiontype='statusline#{ELSE}' xlink:href='javascript:{js}'>click</maction></math>",
    "mutation-noscript": "<noscript><p title=\"</noscript><img src=x onerror='{js}'>\"></noscript>",
    "mutation-style": "<math><mtext><table><mglyph><style><!--</style>"
    "<img title='--&gt;&lt;img src=x onerror={js}&gt;'>",
    "mutation-comment": "<!--><img src=x onerror='{js}'>--><!-- --!><img src=x onerror='{js}'>",
    "mutation-select": '<select><template><style><!--</style><a rel="--></style></template></select>'
    "<img src=x onerror='{js}'>\">",
    "meta-refresh": "<meta http-equiv=refresh content='0;url=javascript:{js}'>",
    "base": f"<base href='{ELSEWHERE}/'>",
    "stylesheet": f"<link rel=stylesheet href='{ELSEWHERE}/x.css'>",
    "css-import": f"<style>@import '{ELSEWHERE}/x.css';</style>",
    "css-url": f"<p style=\"background:url('{ELSEWHERE}/x.png')\">x</p>",
    "css-escaped-url": f"<p style='background-color:\\75rl({ELSEWHERE}/x.png)'>x</p>",
    "remote-image": f"<img src='{ELSEWHERE}/x.png'><img srcset='{ELSEWHERE}/y.png 1x'><picture>"
    f"<source srcset='{ELSEWHERE}/z.png'></picture>",
    "cover": "<div class=cover style='position:fixed;inset:0;z-index:99999;background:white'>9 / 9 points</div>",
    "hidden-score": "<style>.score, .points {{ display: none }}</style>",
    "closing-tags": "</div></div></div></div></body></html><script>{js}</script>",
    "require": "<div data-main='{ELSE}/x.js'></div><script>require(['{ELSE}/x.js'])</script>",
}
OTHER = {
    "javascript": ("application/javascript", "{js}"),
    "svg-type": ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg' onload='{js}'><script>{js}</script></svg>"),
    "markdown-type": ("text/markdown", "[x](javascript:{js}) <script>{js}</script> <img src=x onerror='{js}'>"),
    "latex-href": (
        "text/latex",
        "$\\href{{javascript:{js}}}{{x}}$ $\\unicode[{js}]{{1}}$ $\\style{{position:fixed}}{{x}}$",
    ),
    "latex-html": ("text/latex", "$x$<script>{js}</script><img src=x onerror='{js}'>"),
    "png-is-svg": ("image/png", "'><script>{js}</script><img src='"),
    "png-is-html": ("image/jpeg", '" onerror="{js}" x="'),
    "plain": ("text/plain", "<script>{js}</script><img src=x onerror='{js}'>"),
    "widget": ("application/vnd.jupyter.widget-view+json", '{{"model_id": "<script>{js}</script>"}}'),
    "vega": ("application/vnd.vega.v5+json", '{{"signals": [{{"init": "{js}"}}]}}'),
}
TEXTS = {
    "text-script": "<script>{js}</script>",
    "text-event": "<img src=x onerror='{js}'> **bold** <svg onload='{js}'>",
    "text-link": "[click](javascript:{js}) [click](\x01javascript:{js}) "
    "<javascript:{js}> [click](data:text/html,<script>{js}</script>)",
    "text-reference": "[click][1]\n\n[1]: javascript:{js} 'x'",
    "text-image": f'![x]({ELSEWHERE}/text.png) ![x](x" onerror="{{js}})',
    "text-heading": "# x <iframe srcdoc='<script>{js}</script>'></iframe>\n\n<h1 id='location'>x</h1>",
    "text-latex": "$\\href{{javascript:{js}}}{{click}}$ $$\\class{{cover}}{{\\cssId{{score}}{{x}}}}$$ $"
    "<script>{js}</script>$",
    "text-code": "```html\n<script>{js}</script>\n```\n\n`<img src=x onerror='{js}'>`",
    "text-table": "|a|\n|-|\n|<img src=x onerror='{js}'>|",
    "text-attachment": "![x](attachment:x.svg) ![y](attachment:y.png) ![z](attachment:z.png)",
}
ATTACHMENTS = {
    "x.svg": {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='top.ran=1'></svg>"},
    "y.png": {"image/png": "'><script>top.ran=['attachment']</script>"},
    "z.png": {"image/png": PIXEL},
}
ORDINARY = """
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML, Latex

display(pd.DataFrame({"loss": [0.5, 0.25]}, index=["first", "second"]))
plt.plot([1, 4, 9])
plt.show()
display(HTML("<h3>plain <em>markup</em></h3><table><tr><td>cell</td></tr></table>"))
display(Latex("$$\\\\sum_{i=1}^n i$$"))
print("plain text")
"""


def filled(template: str, name: str) -> str:
    """A payload that says its name when it runs."""
    js = RUNS.format(name=name)
    return template.replace("{ELSE}", ELSEWHERE).replace("{js}", js).replace("{{", "{").replace("}}", "}")


def bundles() -> list[dict[str, str]]:
    """What a cell displays, one MIME bundle for each payload."""
    html = [{"text/html": filled(template, name)} for name, template in HTML.items()]
    return html + [{kind: filled(template, name)} for name, (kind, template) in OTHER.items()]


def code() -> str:
    """A cell that shows all of them, and raises what looks like markup."""
    shown = json.dumps(bundles())
    error = filled("<script>{js}</script>", "error")
    return (
        f"import json\nfor _bundle in json.loads({shown!r}):\n    display(_bundle, raw=True)\n"
        f"print({error!r})\n{ORDINARY}\nraise type({error!r}, (Exception,), {{}})({error!r})"
    )


def hostile_answer(cell: NotebookNode) -> None:
    """Write all texts into the answer to a question, and an ordinary image that was pasted there."""
    texts = [filled(text, name) for name, text in TEXTS.items() if name != "text-attachment"]
    cell.source = "\n\n".join([*texts, "![z](attachment:z.png)"])
    cell.attachments = ATTACHMENTS


def hostile_cells() -> list[NotebookNode]:
    """Text cells, raw cells and code cells of a student's own, with the payloads of all kinds in them."""
    cells = [nbformat.v4.new_markdown_cell(filled(text, name)) for name, text in TEXTS.items()]
    cells[-1].attachments = ATTACHMENTS
    raw = [nbformat.v4.new_raw_cell(filled(text, f"raw-{name}")) for name, text in HTML.items()]
    source = nbformat.v4.new_code_cell(f"# {filled('<script>{js}</script>', 'source')}")
    return [*cells, *raw, source]


@dataclass
class Watch:
    """What a page did that its reader had not asked for.

    Attributes:
        asked: the addresses that it asked for; an empty frame asks nobody.
        problems: dialogs, and what ran.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: request.url != "about:blank" and self.asked.append(request.url))
        self.page.on("dialog", self._dismiss)
        self.page.on("popup", lambda popup: self.problems.append(f"opened {popup.url}"))

    def _dismiss(self, dialog: Any) -> None:
        self.problems.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def names(self, milliseconds: int = 500) -> set[str]:
        """The payloads that have run by now, also those that wait for a mouse."""
        self.page.evaluate(POKE)
        self.page.wait_for_timeout(milliseconds)
        return set(self.page.evaluate("window.ran || []"))


# Moves over every element, opens what can be opened, and clicks what leads to a script or a foreign document.
POKE = """() => {
  for (const one of document.querySelectorAll("body *")) {
    for (const kind of ["mouseover", "focus", "toggle", "animationstart"]) one.dispatchEvent(new Event(kind));
    const target = one.getAttribute("href") || one.getAttribute("xlink:href") || one.getAttribute("action") || "";
    if (/^[\\s\\x00-\\x20]*(java\\s*script|data|vbscript):/i.test(target)) {
      one.dispatchEvent(new MouseEvent("click", {bubbles: true}));
    }
  }
}"""
# What stands in a student's cells, by selectors of nbgrader's pages, and must not: active elements, foreign addresses.
ACTIVE = """(inside) => [...document.querySelectorAll(inside)].flatMap((part) => [...part.querySelectorAll("*")])
  .filter((one) => [...one.attributes].some((a) => /^on/i.test(a.name) || /^\\s*(javascript|data:text)/i.test(a.value))
    || /fixed|sticky/.test(one.style.position)
    || !one.closest(".MathJax, .MathJax_Display, .MathJax_Preview, .MathJax_SVG, script[type^='math/']")
      && (NAMES.test(one.tagName) || one.style.position === "absolute"))
  .map((one) => one.outerHTML.slice(0, 150))""".replace(
    "NAMES", "/^(script|iframe|object|embed|form|input|button|link|meta|base|style|video|audio|svg|use)$/i"
)
