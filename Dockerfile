# One image, three commands: `serve` (the default), `work`, `migrate`. PostgreSQL and Redis are outside.

FROM python:3.13-slim AS packages
COPY requirements/runtime.txt .
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r runtime.txt

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin vetslot
COPY --from=packages /venv /venv
WORKDIR /app
COPY . .
RUN python -m compileall -q .
ENV PATH=/venv/bin:$PATH HOST=0.0.0.0 PORT=8000 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER vetslot
EXPOSE 8000
STOPSIGNAL SIGTERM
# Whether this process answers; whether it may get requests is asked at /ready, by whoever sends them.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=4)"]
ENTRYPOINT ["python", "-m", "widget"]
CMD ["serve"]
