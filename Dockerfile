# Two stages: the first installs the locked dependencies and the wheel into one virtual environment, the second carries
# only that environment. The process runs as an unprivileged user and writes nothing but its standard output.
#
# The kernel that simulates requests is compiled here and not at each start, where it would take a processor for seconds.
# "generic" makes the code the same on every machine of the architecture; else a start on another kind of processor than
# that of the build would compile anew. Numba takes no folder that it cannot write to, hence a locator of our own.
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
ENV NUMBA_CACHE_DIR=/opt/plimsoll/compiled NUMBA_CPU_NAME=generic \
    NUMBA_CACHE_LOCATOR_CLASSES=plimsoll.engine.compiled_ahead.CompiledAhead
RUN mkdir /opt/plimsoll/compiled && /opt/plimsoll/bin/python -m plimsoll.engine.compile

FROM docker.io/library/python:${PYTHON}-slim
LABEL org.opencontainers.image.title="plimsoll" \
      org.opencontainers.image.description="Autoscaler for LLM inference on mixed hardware" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/plimsoll /opt/plimsoll
ENV PATH=/opt/plimsoll/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/opt/plimsoll/compiled NUMBA_CPU_NAME=generic \
    NUMBA_CACHE_LOCATOR_CLASSES=plimsoll.engine.compiled_ahead.CompiledAhead
USER 65532:65532
# As the unprivileged user, who cannot write there: the build fails where a start would compile.
RUN python -m plimsoll.engine.compile --check
EXPOSE 8080
ENTRYPOINT ["plimsoll"]
CMD ["run"]
