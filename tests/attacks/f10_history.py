"""Asks linecache, inspect, the history and the shell for the source of the checks."""
# falls: nbgrader 0.9.6 (`In[-1]` holds the hidden tests)
# expect: double=0 spell=0

# %% double-solution
import inspect
import linecache


def _sources():
    found = [repr(get_ipython().user_ns.get("In")), repr(get_ipython().user_ns.get("_ih")), repr(linecache.cache)[:50000]]
    for frame in inspect.stack():
        try:
            found.append(inspect.getsource(frame.frame))
        except (OSError, TypeError):
            pass
    return [text for text in found if "EXPECTED" in text or "LABELS" in text]


def double(x):
    return str(_sources())

# %% spell-solution
def spell(word):
    return str(_sources())
