"""Makes links and hard links to the course and the grader's memory and reads through them."""
# expect: double=0
# says: TRIED

# %% double-solution
import os

for _number, _target in enumerate(("../../../graders", "/proc/1/root", "/proc/self/cwd/../../..", "/", "/etc/shadow", "/root")):
    try:
        os.symlink(_target, f"link{_number}")
        print(os.listdir(f"link{_number}"))
        print(open(f"link{_number}/vault/test_hidden.py").read())
    except OSError:
        pass
print("TRI" + "ED")


def double(x):
    return 0
