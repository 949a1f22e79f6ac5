# Two stages: the first installs the locked dependencies and the wheel into one virtual environment, the second carries
# only that environment. The process runs as an unprivileged user and writes nothing but its standard output.
ARG PYTHON=3.13
FROM docker.io/library/python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python -m venv /opt/plimsoll
COPY requirements.lock ./
RUN /opt/plimsoll/bin/pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY operator ./operator
RUN /opt/plimsoll/bin/pip install --no-deps . \
 && /opt/plimsoll/bin/python -m compileall -q /opt/plimsoll/lib

FROM docker.io/library/python:${PYTHON}-slim
LABEL org.opencontainers.image.title="plimsoll" \
      org.opencontainers.image.description="Autoscaler for LLM inference on mixed hardware" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/plimsoll /opt/plimsoll
ENV PATH=/opt/plimsoll/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["plimsoll"]
CMD ["run"]
