"""Read by every nbgrader command, and by formgrader, in this course."""

from tensorgrade.gradebook import configure

c = get_config()  # noqa: F821  # traitlets puts it here
c.CourseDirectory.course_id = "tensorgrade-course"
configure(c)
