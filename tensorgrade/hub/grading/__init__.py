"""The grading page of one course: nbgrader's formgrader, with what is unsafe in it replaced.

* `server` is the process: it listens at once and loads nbgrader while the hub goes on.
* `handlers` are formgrader's pages behind the hub's sign-in; `exporter` shows submissions without believing them.
* `templates` lets formgrader's own scripts run and no other; `jobs` runs long work outside the process.
"""
