"""Has cells that make a parser recurse and work without end."""
# expect: softmax=0 double=4
# made by: parser_bombs

# %% softmax-solution
def softmax(x):
    return x.softmax(-1)
