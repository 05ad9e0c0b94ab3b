# Two commands are enough: make demo, make test. Each prepares .venv once.
PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready

PROXY := .venv/share/proxy/node_modules/.package-lock.json
NEXT_HUB := build/jupyterhub-6/.ready
OBJECTS := build/swift/.ready

.PHONY: help demo test proof hub lint format release doctor sandbox browser database logs kernel clean
.DEFAULT_GOAL := help

help:          ## show this list
	@grep -E '^[a-z]+: .*##|^[a-z]+:  *##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

demo: $(READY) sandbox  ## release, collect, grade and give feedback on ten sample submissions
	$(PY) demo/demo.py

test: lint sandbox browser database logs $(PROXY)  ## format, rules, types and the suite (budget: 15 minutes on two cores)
	$(PY) -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder -m "not proof"

proof: $(READY) sandbox browser database logs kernel $(PROXY) $(NEXT_HUB) $(OBJECTS)  ## the long tests: every mutant, many secrets, repeated kills (budget: 40 minutes)
	$(PY) -m pytest --numprocesses 2 --dist worksteal -m proof

hub: $(READY) $(PROXY) sandbox  ## start a JupyterHub on this machine, as hub_config/ says
	.venv/bin/tensorgrade hub

lint: $(READY)  ## format, rules, types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

format: $(READY)  ## write the format
	$(PY) -m ruff format .

release: $(READY)  ## make the student version of every assignment again
	for folder in source/*/; do .venv/bin/tensorgrade release $$(basename $$folder) || exit 1; done

doctor: $(READY)  ## what this machine can enforce
	.venv/bin/tensorgrade doctor

# The lock pins everything; torch comes as the build that pip finds for this platform (see README).
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# The hub's proxy, for Node 22 or later, which the lock brings.
$(PROXY): $(READY) hub_config/proxy/package.json hub_config/proxy/package-lock.json
	mkdir -p .venv/share/proxy
	cp hub_config/proxy/*.json .venv/share/proxy
	.venv/bin/npm ci --silent --no-fund --no-audit --prefix .venv/share/proxy
	touch $@

# The environment again, by hard links, with the line of JupyterHub that is not supported yet.
$(NEXT_HUB): $(PROXY)
	rm -rf $(@D)
	mkdir -p build
	cp -al .venv $(@D)
	grep -lI '^#!$(CURDIR)/.venv/' $(@D)/bin/* | xargs sed -i 's|^#!$(CURDIR)/.venv/|#!$(CURDIR)/$(@D)/|'
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check jupyterhub==6.1.1
	touch $@

# An object store with the S3 interface, in an environment of its own, for the tests.
$(OBJECTS): tests/swift.lock
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --requirement tests/swift.lock
	touch $@

sandbox:       ## install bubblewrap and libseccomp, or say how
	@{ command -v bwrap && /sbin/ldconfig -p | grep libseccomp.so.2; } >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq bubblewrap libseccomp2 >/dev/null; \
	else \
		echo "bubblewrap or libseccomp is missing. Install them: sudo apt-get install bubblewrap libseccomp2" >&2; exit 1; \
	fi

browser:       ## install Chromium, or say how
	@command -v chromium >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	else \
		echo "chromium is missing. Install it: sudo apt-get install chromium" >&2; exit 1; \
	fi

database:      ## install PostgreSQL, which the exchange may use, or say how
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null; \
	else \
		echo "PostgreSQL is missing. Install it: sudo apt-get install postgresql" >&2; exit 1; \
	fi

logs:          ## install logrotate, which the exchange's log is for, or say how
	@ls /usr/sbin/logrotate >/dev/null 2>&1 || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq logrotate >/dev/null; \
	else \
		echo "logrotate is missing. Install it: sudo apt-get install logrotate" >&2; exit 1; \
	fi

kernel:        ## install user-mode Linux, a kernel to try limits on, or say how
	@command -v linux.uml >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq user-mode-linux >/dev/null; \
	else \
		echo "user-mode-linux is missing. Install it: sudo apt-get install user-mode-linux" >&2; exit 1; \
	fi

clean:         ## remove what was made here: the environment and caches, no course data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build *.egg-info
