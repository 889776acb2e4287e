# One image for every role; the command names the role. It runs without root and writes only below its home.
FROM python:3.11-slim AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/tillstream
COPY deploy/requirements.lock deploy/
RUN /opt/tillstream/bin/pip install --require-hashes --no-deps -r deploy/requirements.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY kernel kernel
COPY schemas schemas
COPY streams streams
COPY sinks sinks
COPY tillstream tillstream
# The tools that built it, a compiler among them, are not needed any more.
RUN /opt/tillstream/bin/pip install --no-deps --no-build-isolation . && \
    /opt/tillstream/bin/pip uninstall --yes ziglang hatchling editables

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/tillstream tillstream
COPY --from=build /opt/tillstream /opt/tillstream
ENV PATH=/opt/tillstream/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TILLSTREAM_DATA_DIR=/var/lib/tillstream/data
USER 10001
# A tillstream.toml mounted here is read.
WORKDIR /var/lib/tillstream
ENTRYPOINT ["tillstream"]
CMD ["--help"]
