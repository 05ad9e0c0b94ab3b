"""Brings pytest.ini, pyproject.toml, setup.cfg and tox.ini that switch checks off and load a plugin."""
# falls: pytest in the student's folder
# expect: double=0
# made by: settings_beside

# %% double-solution
def double(x):
    return 0
