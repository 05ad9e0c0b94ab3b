"""Run by alembic: the connection comes from the service, which brings its database up to date when it starts."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
