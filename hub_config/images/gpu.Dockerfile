# What a server with the GPU profile runs. From the top of the repository:
#
#   docker build --file hub_config/images/gpu.Dockerfile --tag tensorgrade-gpu:2026.11 .
#
# The default build of torch for Linux brings CUDA with it; the driver is the node's. The lock is the one of every
# other installation.

FROM python:3.11.14-bookworm AS build
RUN python -m venv /opt/venv
COPY requirements.lock /build/
RUN /opt/venv/bin/pip install --no-cache-dir --requirement /build/requirements.lock
COPY pyproject.toml README.md LICENSE THIRD_PARTY_NOTICES.md /build/
COPY tensorgrade /build/tensorgrade
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation /build

FROM python:3.11.14-slim-bookworm
# torch compiles kernels while it runs, which takes a C compiler.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc git libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home --shell /bin/bash jovyan
COPY --from=build /opt/venv /opt/venv
COPY hub_config/jupyter /opt/tensorgrade/jupyter
ENV PATH=/opt/venv/bin:/usr/bin:/bin \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000
WORKDIR /home/jovyan
CMD ["jupyterhub-singleuser"]
