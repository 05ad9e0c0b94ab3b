"""Talks to a learning management system (LMS): files for its importers, and the services of LTI 1.3.

* `people` is the list of students that the hub and the gradebook share; `listing` reads an LMS's export of it.
* `grades` reads nbgrader's totals; `files` writes them as Canvas and Moodle import them.
* `service` speaks to the LMS with a key of our own (`keys`); `passback` sends grades, `members` reads who is there.
"""
