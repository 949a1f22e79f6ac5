# Two stages: the first installs the locked dependencies and the wheel into one virtual environment, the second carries
# only that environment. The process runs as an unprivileged user and writes nothing but its standard output.
#
# The kernel that simulates requests is compiled here and not at each start, where it would take a processor for seconds.
# "generic" makes the code the same on every machine of the architecture; else a start on another kind of processor than
# that of the build would compile anew. Numba takes no folder that it cannot write to, hence a locator of our own.
#
# Releases give BASE by digest and SOURCE_DATE_EPOCH from the commit, so that the same commit makes the same files.
# Every file gets that time before the kernel is compiled, whose machine code counts only for source of the same time.
ARG BASE=docker.io/library/python:3.13-slim
FROM ${BASE} AS build
ARG SOURCE_DATE_EPOCH=1767225600
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 \
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH}
WORKDIR /src
RUN python -m venv /opt/plimsoll
COPY requirements.lock ./
RUN /opt/plimsoll/bin/pip install --no-compile --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY operator ./operator
RUN /opt/plimsoll/bin/pip install --no-compile --no-deps . \
 && /opt/plimsoll/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/plimsoll/lib \
 && find /opt/plimsoll -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +
ENV NUMBA_CACHE_DIR=/opt/plimsoll/compiled NUMBA_CPU_NAME=generic \
    NUMBA_CACHE_LOCATOR_CLASSES=plimsoll.engine.compiled_ahead.CompiledAhead
RUN mkdir /opt/plimsoll/compiled && /opt/plimsoll/bin/python -m plimsoll.engine.compile

FROM ${BASE}
LABEL org.opencontainers.image.title="plimsoll" \
      org.opencontainers.image.description="Autoscaler for LLM inference on mixed hardware" \
      org.opencontainers.image.source="https://github.com/plimsoll/plimsoll" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/plimsoll /opt/plimsoll
ENV PATH=/opt/plimsoll/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/opt/plimsoll/compiled NUMBA_CPU_NAME=generic \
    NUMBA_CACHE_LOCATOR_CLASSES=plimsoll.engine.compiled_ahead.CompiledAhead
USER 65532:65532
# As the unprivileged user, who cannot write there: the build fails where a start would compile.
RUN python -m plimsoll.engine.compile --check
EXPOSE 8080
# For engines without probes of their own; Kubernetes does not read it and has those of the chart.
HEALTHCHECK --start-period=60s --interval=20s --timeout=5s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["plimsoll"]
CMD ["run"]
