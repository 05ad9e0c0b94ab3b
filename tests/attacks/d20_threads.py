"""Starts threads without end, each of which starts a process."""
# expect: double=0 softmax=4

# %% double-solution
import subprocess
import threading
import time


def _work():
    try:
        subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    except OSError:
        pass
    time.sleep(600)


def double(x):
    while True:
        try:
            threading.Thread(target=_work, daemon=True).start()
        except RuntimeError:
            pass
