# One image for both services, and for the commands; what a container runs is its command:
#
#   docker run hookline hookline ingress
#   docker run hookline hookline processor
#   docker run hookline hookline dead list
#
# Your own handlers: FROM this image, COPY them to /app, where services start, and set PROCESSOR_HANDLERS=module:handlers (docs/compose.md).

FROM python:3.13-slim-trixie AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# strip, which takes the debug symbols out of compiled modules: 40 MB.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils >/dev/null
RUN python -m venv --without-pip /opt/hookline && python -m venv --without-pip /opt/build

# Before the code, so that a change of it does not install everything again. Only what is locked, by hash, and no compiler.
COPY deploy/requirements.lock deploy/build.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/hookline/bin/python install --require-hashes --only-binary :all: --no-compile -r requirements.lock && \
    pip --python /opt/build/bin/python install --require-hashes --only-binary :all: -r build.lock

COPY pyproject.toml README.md LICENSE ./
COPY hookline hookline
COPY shared shared
COPY ingress ingress
COPY processor processor
COPY cli cli
COPY console console
COPY deploy/shrink.py ./
RUN /opt/build/bin/python -m hatchling build -t wheel -d dist && \
    pip --python /opt/hookline/bin/python install --no-deps --no-index --no-compile dist/*.whl && \
    /opt/hookline/bin/python -B shrink.py
COPY --chmod=644 deploy/healthcheck.py /opt/hookline/healthcheck.py


FROM python:3.13-slim-trixie

# A number, which Kubernetes can tell from root; and what a new volume for the spool is made like.
RUN groupadd --gid 10001 hookline && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hookline && \
    install -d -o hookline -g hookline -m 700 /var/lib/hookline && install -d -m 755 /app
COPY --from=build /opt/hookline /opt/hookline

ENV PATH=/opt/hookline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOG_FORMAT=json \
    INGRESS_SPOOL_PATH=/var/lib/hookline/spool.db \
    INGRESS_ADMIN_HOST=0.0.0.0 \
    PROCESSOR_ADMIN_HOST=0.0.0.0
USER 10001:10001
WORKDIR /app
EXPOSE 8080 9080 9081

# Both services handle SIGTERM and SIGINT themselves, start no children, and so need no init as process 1.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-I", "-S", "/opt/hookline/healthcheck.py"]
CMD ["hookline", "--help"]

# Last, since they differ from build to build.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="Hookline" \
      org.opencontainers.image.description="Receives Twilio webhooks in milliseconds, loses none, and runs your handler for each, in order per conversation." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim-trixie" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE"
