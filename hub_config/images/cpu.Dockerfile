# What a server with the CPU profile runs, and a grading page. From the top of the repository:
#
#   docker build --file hub_config/images/cpu.Dockerfile --build-arg TORCH_INDEX=ADDRESS --tag tensorgrade-cpu:2026.11 .
#
# ADDRESS is the index of torch's CPU builds; PyTorch's "Get started" page names it. The lock is the one of every
# other installation.

FROM python:3.11.14-bookworm AS build
ARG TORCH_INDEX
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN python -m venv /opt/venv
COPY requirements.lock /build/
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --index-url "${TORCH_INDEX:?see the top of this file}" \
        "$(grep '^torch==' /build/requirements.lock)" \
    && /opt/venv/bin/pip install --no-cache-dir --requirement /build/requirements.lock
COPY pyproject.toml README.md LICENSE THIRD_PARTY_NOTICES.md /build/
COPY tensorgrade /build/tensorgrade
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation /build

FROM python:3.11.14-slim-bookworm
# bubblewrap, libseccomp2: the grading page's sandbox. The distribution's own fixes are wanted, so its version is not pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap git libseccomp2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home --shell /bin/bash jovyan
COPY --from=build /opt/venv /opt/venv
COPY hub_config/jupyter /opt/tensorgrade/jupyter
ENV PATH=/opt/venv/bin:/usr/bin:/bin
USER 1000
WORKDIR /home/jovyan
CMD ["jupyterhub-singleuser"]
