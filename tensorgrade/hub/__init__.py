"""What a JupyterHub needs to know of courses.

* `courses` reads who is in which course; `profiles` reads what a server may use.
* `access` makes JupyterHub's groups and roles of both.
* `ways_in` reads how people sign in: passwords (`sign_in`), from an LMS (`lti`, `lti_handlers`), or `oauth`;
  `members` takes back what somebody has who is no longer in a course.
* `configure` sets up the hub of one machine; `spawner` starts people's servers there, each in a `room`.
* `ports` holds the ports of the hub's services, `supervisor` starts a service there, `listening` is the service's end.
* `folders` are what rooms share: courses' directories, and the exchange; `grading` is the page of a course's staff.
* `rendering` writes a profile as Kubernetes and as Slurm want it; `kubernetes` and `slurm` set up hubs there.
* `gpus` and `cgroups` are what a machine has and holds servers to, `quota` what a course may have; `choice` is
  the spawn page, `culler` stops servers whose time is up.

What needs JupyterHub is not imported here: a grading page has to listen before the hub goes on starting.
"""

from tensorgrade.hub.access import groups_of, roles_of
from tensorgrade.hub.courses import HubCourse, read_courses
from tensorgrade.hub.profiles import Profile, allowed_profiles, read_profiles
from tensorgrade.hub.rendering import kubernetes_profile, slurm_settings

__all__ = [
    "HubCourse",
    "Profile",
    "allowed_profiles",
    "groups_of",
    "kubernetes_profile",
    "read_courses",
    "read_profiles",
    "roles_of",
    "slurm_settings",
]
