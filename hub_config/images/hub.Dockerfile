# The hub of Kubernetes: the chart's own image with our package, and the one thing that its hub needs and the chart's
# image lacks. From the top of the repository:
#
#   docker build --file hub_config/images/hub.Dockerfile --build-arg CHART_HUB=IMAGE --tag tensorgrade-hub:2026.11 .
#
# IMAGE is hub.image in the values of the chart's version (`helm show values jupyterhub/jupyterhub --version 4.4.0`).

ARG CHART_HUB
# hadolint ignore=DL3006
FROM ${CHART_HUB}
USER 0
COPY requirements.lock pyproject.toml README.md LICENSE THIRD_PARTY_NOTICES.md /build/
COPY tensorgrade /build/tensorgrade
RUN pip install --no-cache-dir "$(grep '^httpx==' /build/requirements.lock)" \
    && pip install --no-cache-dir --no-deps /build \
    && rm -rf /build
USER 1000
