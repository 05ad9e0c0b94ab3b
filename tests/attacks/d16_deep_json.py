"""A notebook nested 100,000 levels deep."""
# falls: nbgrader 0.9.6 (RecursionError stops the batch)
# status: unreadable
# made by: deep_json
