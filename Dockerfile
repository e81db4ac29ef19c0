# The controller's image: docker build -t registry.example.com/rollout:0.1.0 .
# tests/install plays this file without Docker: in the first stage, write below /opt only.
# The digest is that of the tag's index for all platforms on 2026-09-21 (Python 3.11.16);
# `docker buildx imagetools inspect python:3.11-slim-bookworm` shows the newest.
ARG BASE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${BASE} AS build
WORKDIR /opt/src
COPY .ci .ci
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r .ci/requirements-build.txt \
    && python3 -m venv --without-pip /opt/rollout \
    && /opt/build/bin/pip --python /opt/rollout/bin/python \
        install --require-hashes -r .ci/requirements-runtime.txt
COPY . .
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheel . \
    && /opt/build/bin/pip --python /opt/rollout/bin/python install --no-deps --no-index /opt/wheel/*.whl

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="rollout" \
      org.opencontainers.image.description="Progressive delivery for plain Kubernetes Deployments" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The base has pip and setuptools of its own, and both once more in ensurepip; nothing that runs here
# installs anything.
RUN python -m pip uninstall --yes pip setuptools wheel \
    && rm -r "$(python -c 'import ensurepip; print(*ensurepip.__path__)')"
ENV PATH=/opt/rollout/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1
COPY --from=build /opt/rollout /opt/rollout
USER 65532:65532
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8081/healthz', timeout=4)"]
ENTRYPOINT ["rollout"]
CMD ["controller", "--bind=0.0.0.0", "--http-port=8081", "--api-bind=0.0.0.0", "--api-port=8080", "--log-format=json"]
