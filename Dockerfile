# The operator's image. Wheels may come in through the build context (`pip wheel -w dist/wheels .` beforehand): then the
# build needs no package index at all and is the same every time.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE requirements.lock ./
COPY operator operator
# LICENSE is there so that the folder of wheels may be missing: a pattern alone has to match something.
COPY LICENSE dist/wheels* /wheels/
RUN python3 -m venv /opt/batchyard \
 && if ls /wheels/*.whl >/dev/null 2>&1; then \
      /opt/batchyard/bin/pip install --no-cache-dir --no-index --find-links /wheels batchyard; \
    else \
      /opt/batchyard/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock \
   && /opt/batchyard/bin/pip install --no-cache-dir --no-deps .; \
    fi

FROM ${BASE_IMAGE}
COPY --from=build /opt/batchyard /opt/batchyard
ENV PATH=/opt/batchyard/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "batchyard"]
CMD ["run"]
