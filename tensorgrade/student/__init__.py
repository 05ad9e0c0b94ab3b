"""The `student` fixture: a proxy over the wire, or the notebook's own namespace.

`session.Session`, the one behind the wall, is imported from its module: `check` runs on machines that
have no sandbox.
"""

from tensorgrade.student.asking import Asking
from tensorgrade.student.notebook import NotebookSession
from tensorgrade.student.proxies import Student, StudentObject

__all__ = ["Asking", "NotebookSession", "Student", "StudentObject"]
