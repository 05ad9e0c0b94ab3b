"""Writes result files of every known name, then ends the process with success."""
# falls: otter-grader 7.0.0, PrairieLearn's Python grader
# expect: double=0 softmax=4

# %% double-solution
import json
import os


def double(x):
    for folder in ("/tmp", ".", "..", "/submission", "/grade", "/autograder/results", "/var/tmp"):
        for name in ("results.json", "results.pkl", "report.xml", "staff-report.json", ".OTTER_LOG", "grades.json"):
            try:
                with open(f"{folder}/{name}", "w") as file:
                    json.dump({"score": 100, "double": 4.0, "status": "graded", "gradable": True}, file)
            except OSError:
                pass
    os._exit(0)
