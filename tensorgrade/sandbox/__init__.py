"""Confines a process; one file per boundary.

Outside, on the grading machine:

* `launch` becomes an unprivileged user before bubblewrap starts.
* `files` says what bubblewrap lets the template see.
* `template` starts the warm process and asks it for workers.
* `process` is one worker seen from outside: its channel, its clock, its end.
* `probe` tries each boundary.

Inside, run by the template for each worker:

* `namespaces` gives the worker its own view of the system and takes its powers away.
* `rlimits` sets what the kernel counts for each process.
"""
