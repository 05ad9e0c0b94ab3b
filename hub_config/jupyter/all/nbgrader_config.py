"""nbgrader in every room of the hub: whose it is, and which exchange there is."""

import os

c = get_config()  # noqa: F821 - Jupyter's
c.CourseDirectory.groupshared = True  # a course's files are for all of its staff
c.KernelManager.transport = "ipc"  # Validate starts kernels of its own, with these settings
if os.environ.get("JUPYTERHUB_USER"):
    c.CourseDirectory.student_id = os.environ["JUPYTERHUB_USER"]  # the room knows no account by name
    c.Exchange.path_includes_course = True  # ~/dl101/attention: two courses may use one name
exchange = os.environ.get("TENSORGRADE_EXCHANGE", "")
if exchange.startswith("http"):  # a service of the hub: it knows who asks by the token in the environment
    for module, steps in {
        "for_students": ("FetchAssignment", "FetchFeedback", "List", "Submit"),
        "for_staff": ("Collect", "ReleaseAssignment", "ReleaseFeedback"),
    }.items():
        for step in steps:
            name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in step).lstrip("_")
            c.ExchangeFactory[name] = f"tensorgrade.hub.exchange.{module}.{step}"
elif exchange:
    c.Exchange.root = exchange
    c.ExchangeCollect.check_owner = False  # it asks for the names of accounts, and there are none
