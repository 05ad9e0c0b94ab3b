"""Holds a pipe in the place of the notebook, which stops whoever opens it."""
# falls: nbgrader 0.9.6 (waits for ever)
# status: unreadable
# made by: pipe_for_notebook
