"""Holds a symbolic link to the folder of the graders, and one to the password file."""
# falls: nbgrader 0.9.6 (copies what they lead to into the feedback)
# status: unreadable
# made by: links_beside
