"""A notebook of 20,000 cells."""
# falls: nbgrader 0.9.6
# status: unreadable
# made by: twenty_thousand_cells
