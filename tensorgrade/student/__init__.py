"""The `student` fixture: a proxy over the wire, or the notebook's own namespace."""

from tensorgrade.student.asking import Asking
from tensorgrade.student.notebook import NotebookSession
from tensorgrade.student.proxies import Student, StudentObject
from tensorgrade.student.session import Session

__all__ = ["Asking", "NotebookSession", "Session", "Student", "StudentObject"]
