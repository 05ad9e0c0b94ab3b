"""nbgrader in every room of the hub: whose it is, and where the exchange lies."""

import os

c = get_config()  # noqa: F821 - Jupyter's
c.CourseDirectory.groupshared = True  # a course's files are for all of its staff
c.KernelManager.transport = "ipc"  # Validate starts kernels of its own, with these settings
if os.environ.get("JUPYTERHUB_USER"):
    c.CourseDirectory.student_id = os.environ["JUPYTERHUB_USER"]  # the room knows no account by name
    c.Exchange.path_includes_course = True  # ~/dl101/attention: two courses may use one name
if "TENSORGRADE_EXCHANGE" in os.environ:
    c.Exchange.root = os.environ["TENSORGRADE_EXCHANGE"]
    c.ExchangeCollect.check_owner = False  # it asks for the names of accounts, and there are none
