"""Makes every report of pytest say that the test has passed."""
# falls: pytest in the student's process
# expect: double=0

# %% double-solution
import _pytest.reports
import _pytest.runner

_pytest.reports.TestReport.from_item_and_call = classmethod(
    lambda cls, item, call: cls(item.nodeid, item.location, {}, "passed", None, "call")
)
_pytest.runner.call_runtest_hook = lambda *args, **kwargs: None


def double(x):
    return 0
