# The operator's image (docs/image.md). `make image` brings the wheels along in dist/wheels, so that no container needs a
# package index; without them (`docker build .`) pip fetches them here. Both check every hash in the two lock files.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
# The lock is named again so that the folder of wheels may be missing: a pattern alone has to match something.
COPY requirements.lock dist/wheels* /wheels/
# pip and setuptools as locked, in an environment that stays behind; the first pip is the base's, or the wheel itself.
RUN set -eu; \
    python3 -m venv --without-pip /opt/build; \
    python3 -m venv --without-pip /opt/batchyard; \
    pip="$(ls /wheels/pip-*.whl 2>/dev/null || true)"; \
    echo "--no-cache-dir --disable-pip-version-check --no-compile --only-binary :all: --require-hashes" >options; \
    if [ -n "$pip" ]; then echo "--no-index --find-links /wheels" >>options; fi; \
    PYTHONPATH="$pip" python3 -m pip --python /opt/build/bin/python install $(cat options) --requirement requirements-build.lock; \
    /opt/build/bin/pip --python /opt/batchyard/bin/python install $(cat options) --requirement requirements.lock
# On a read-only file system what is not compiled now is compiled at each start. The generated client of all of Kubernetes is
# never imported here, and the second one of it, for asyncio, is a quarter of the image.
RUN set -eu; \
    rm -rf /opt/batchyard/lib/python3*/site-packages/kubernetes/aio; \
    /opt/batchyard/bin/python -m compileall -q -x 'kubernetes/client/(api|models)/' /opt/batchyard/lib
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN set -eu; \
    /opt/build/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /dist .; \
    /opt/build/bin/pip --python /opt/batchyard/bin/python install --no-cache-dir --no-index --no-deps /dist/*.whl

FROM ${BASE_IMAGE}
# What installs packages has no place beside what serves.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/ensurepip /usr/local/lib/python3*/site-packages/*
COPY --from=build /opt/batchyard /opt/batchyard
ENV PATH=/opt/batchyard/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
ARG BASE_IMAGE
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Batchyard" \
      org.opencontainers.image.description="AWS Batch semantics for any Kubernetes cluster: the operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "batchyard"]
CMD ["run"]
