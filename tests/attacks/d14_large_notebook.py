"""A notebook of 80 MB."""
# falls: nbgrader 0.9.6 (parses all of it, four copies of each)
# status: unreadable
# made by: eighty_megabytes
