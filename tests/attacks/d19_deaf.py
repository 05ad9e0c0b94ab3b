"""Ignores and blocks every signal, then works without end."""
# falls: a grader that interrupts with SIGINT (nbgrader 0.9.6)
# expect: double=0 softmax=4

# %% double-solution
import signal

for _number in signal.valid_signals():
    try:
        signal.signal(_number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def double(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
