"""Confines a process; one file per boundary.

`levels` says which boundaries there are, and which of them make a level.

Outside, on the grading machine:

* `launch` becomes an unprivileged user before bubblewrap starts.
* `files` says what bubblewrap lets the template see.
* `template` starts the warm process and asks it for workers.
* `groups` gives a worker a control group, where the machine lends one.
* `process` is one worker seen from outside: its channel, its clock, its end.
* `mechanisms` tries what the layers are built on, and `probe` each boundary.

Inside, run by the template for each worker:

* `confine` puts the layers on, in the order that each needs.
* `namespaces` gives the worker its own view of the system and takes its powers away.
* `places` are the folders of a worker; `landlock` allows these and no others.
* `system_calls` closes the doors of the kernel that a notebook has no use for.
* `rlimits` sets what the kernel counts for each process.
"""
