# Pixmill in two stages: one with pip, one without.
#   docker build -t pixmill . && docker run --rm -p 8000:8000 pixmill
# Both stages need the same Python 3.11+ on a glibc Debian; tests/image/run passes its own base.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends binutils >/dev/null
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The locked wheels, PostgreSQL's driver and Celery among them, come before the code: a change of
# code does not install them again.
COPY requirements.lock ./
RUN python3 -m venv /opt/pixmill \
 && /opt/pixmill/bin/pip install --only-binary :all: --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY service service
# pip goes last of all and takes itself along: the second stage gets nothing that installs.
RUN /opt/pixmill/bin/pip install --no-deps . \
 && /opt/pixmill/bin/pip uninstall --yes pip setuptools
# These two wheels carry the names of everything for a debugger: 19 of their 31 MB.
RUN find /opt/pixmill -name '*.so' \( -path '*/uvloop/*' -o -path '*/sqlalchemy/*' \) \
      -exec strip --strip-unneeded {} +

FROM ${BASE}
LABEL org.opencontainers.image.title="Pixmill" \
      org.opencontainers.image.description="Asynchronous image uploads" \
      org.opencontainers.image.licenses="MIT"
# The folders are the user's before they become volumes: a new named volume takes over the owner.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data \
      --shell /usr/sbin/nologin pixmill \
 && install --directory --owner=pixmill --group=pixmill \
      /data/uploads /data/processed /data/database
COPY --from=build /opt/pixmill /opt/pixmill

# Bytecode is already there and the root may be read-only, so none is written.
# Two malloc arenas instead of eight a core: threads that decode pictures otherwise hoard memory.
ENV PATH=/opt/pixmill/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    PIXMILL_HOST=0.0.0.0 \
    PIXMILL_PORT=8000 \
    PIXMILL_UPLOADS=/data/uploads \
    PIXMILL_PROCESSED=/data/processed \
    PIXMILL_DATABASE_URL=sqlite:////data/database/pixmill.db \
    PIXMILL_NOTIFICATIONS_FILE=/data/database/notifications.jsonl \
    PIXMILL_LOG_FORMAT=json

WORKDIR /data
VOLUME ["/data/uploads", "/data/processed", "/data/database"]
# A number, so that Kubernetes can see for itself that it is not root.
USER 10001:10001
EXPOSE 8000
# http.client and not urllib: it goes past any HTTP_PROXY that is set for webhooks.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python3", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PIXMILL_PORT']), timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
# The exec form: SIGTERM reaches Pixmill itself, not a shell in front of it.
CMD ["pixmill", "serve"]
