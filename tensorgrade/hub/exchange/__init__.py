"""The exchange as a service of the hub: what nbgrader's world-writable folder does, for people who need not be trusted.

* `settings` reads ``exchange.toml``; `archive` is the one kind of file that goes to and fro, and what is refused in it.
* `nouns` are what it speaks of; `records` (`tables`, `database`, `migrations`) is the database, `storage` and
  `object_store` the bytes; `service` puts a submission into both.
* `callers` says who asks; `service` is also what handlers share; `handlers` and `sending` are the interface;
  `application` puts them together, `server` is the process.
* `metrics` are its figures, `backup` copies what it keeps, `retention` removes what was kept long enough.
* `pages` are for browsers (`form`, `templates`).
* `client` asks it by HTTP; `for_students` and `for_staff` are nbgrader's exchange classes in front of the client.

Nothing is imported here: a student's notebook server needs the client only.
"""
