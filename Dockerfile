# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends gcc libc6-dev libmariadb-dev pkg-config \
  && rm -rf /var/lib/apt/lists/*
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
RUN apt-get update \
  && apt-get install -y --no-install-recommends libmariadb3 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --create-home --home-dir /srv/chatsystem chatsystem \
  && install --directory --owner=chatsystem /srv/metrics
COPY --from=build /venv /venv
WORKDIR /srv/chatsystem
COPY --chown=chatsystem . .
USER chatsystem
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD \
  ["python", "-c", "import os,urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health/live', timeout=4)"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0"]
