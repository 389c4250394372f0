# syntax=docker/dockerfile:1

# What is compiled (mysqlclient) is compiled here, and the compiler stays here.
FROM python:3.11.14-slim-bookworm AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends gcc libc6-dev libmariadb-dev pkg-config \
  && rm -rf /var/lib/apt/lists/*
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

# Static files are collected with the embedded profile, which needs no service and no secret.
FROM build AS static
WORKDIR /srv/chatsystem
COPY . .
RUN mkdir static && VAR_DIR=/tmp/var /venv/bin/python manage.py collectstatic --noinput

FROM python:3.11.14-slim-bookworm
RUN apt-get update \
  && apt-get install -y --no-install-recommends libmariadb3 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --no-create-home --home-dir /srv/chatsystem --shell /usr/sbin/nologin chatsystem \
  && install --directory --owner=chatsystem /srv/metrics
COPY --from=build /venv /venv
WORKDIR /srv/chatsystem
# Owned by root: what runs cannot change itself.
COPY . .
COPY --from=static /srv/chatsystem/static static
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=8000 VAR_DIR=/tmp
USER chatsystem
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD \
  ["python", "-c", "import os,urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health/live', timeout=4)"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0"]
