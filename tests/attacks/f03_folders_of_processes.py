"""Looks through the working directories, roots and descriptors of all processes in /proc."""
# falls: graders that share a process namespace with submissions
# expect: double=0
# says: TRIED

# %% double-solution
import glob
import os

for _pattern in ("/proc/*/cwd", "/proc/*/root", "/proc/*/fd/*", "/proc/*/task/*/root"):
    for _path in glob.glob(_pattern):
        try:
            if os.readlink(_path) not in ("/", "/tmp/work"):
                print(_path[:40], os.listdir(_path + "/"))
        except OSError:
            pass
        for _name in ("graders/vault/test_hidden.py", "source/vault/vault.ipynb", "gradebook.db", "../gradebook.db"):
            try:
                print(open(f"{_path}/{_name}", "rb").read())
            except OSError:
                pass
print("TRI" + "ED")


def double(x):
    return 0
