"""A notebook that is not UTF-8."""
# falls: nbgrader 0.9.6 (stops the batch)
# status: unreadable
# made by: broken_utf8
