"""Uses IPython's magics, the shell, help, displays and figures."""

# %% double-solution
%matplotlib inline
%config InlineBackend.figure_format = "png"
!echo from the shell
import matplotlib.pyplot as plt

plt.plot([1, 2, 3])
plt.title("$x^2$")
plt.show()
%time sum(range(10))
torch.ones?
display({"a": 1})


def double(x):
    return x + x

# %% spell-solution
%%time
def spell(word):
    return word[::-1]
