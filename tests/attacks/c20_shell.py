"""Replaces the shell's own way to run cells and to report errors."""
# falls: nbgrader 0.9.6 (`kernel.do_execute`)
# expect: double=0

# %% double-solution
_shell = get_ipython()
_shell.run_cell = lambda *args, **kwargs: type("Result", (), {"success": True})()
_shell.showtraceback = _shell._showtraceback = lambda *args, **kwargs: None
_shell.run_notebook_cell = lambda *args, **kwargs: (True, [{"output_type": "execute_result", "data": {"text/plain": "4.0"}}])


def double(x):
    return 0
