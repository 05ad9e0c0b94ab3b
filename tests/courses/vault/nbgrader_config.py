from tensorgrade.gradebook import configure

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "vault-course"
configure(c)
