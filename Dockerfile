# syntax=docker/dockerfile:1

# What is compiled (mysqlclient) is compiled here, and the compiler stays here.
FROM python:3.11.14-slim-bookworm AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends gcc libc6-dev libmariadb-dev pkg-config \
  && rm -rf /var/lib/apt/lists/*
COPY requirements.txt .
# What runs needs no pip. Of plotly it serves the script alone; the rest would be 50 MB.
RUN python -m venv --without-pip /venv \
  && pip --python /venv/bin/python install --no-cache-dir --require-hashes -r requirements.txt \
  && find /venv/lib/python3.11/site-packages/plotly -mindepth 1 -maxdepth 1 \
    ! -name __init__.py ! -name package_data -exec rm -r {} +

# Compiled once and not at each start, since nothing can be written later. Static files are collected
# with the embedded profile, which needs no service and no secret.
FROM build AS application
WORKDIR /srv/chatsystem
COPY . .
RUN /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash . \
  && mkdir static && VAR_DIR=/tmp/var /venv/bin/python manage.py collectstatic --noinput

FROM python:3.11.14-slim-bookworm
RUN apt-get update \
  && apt-get install -y --no-install-recommends libmariadb3 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --no-create-home --home-dir /srv/chatsystem --shell /usr/sbin/nologin chatsystem \
  && install --directory --owner=chatsystem /srv/metrics
COPY --from=build /venv /venv
WORKDIR /srv/chatsystem
# Owned by root: what runs cannot change itself.
COPY --from=application /srv/chatsystem .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=8000 VAR_DIR=/tmp/chatsystem
USER chatsystem
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD \
  ["python", "-c", "import os,urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health/live', timeout=4)"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0"]
