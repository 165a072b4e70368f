# The service in a container: no root, nothing to write but the home. See docker-compose.yml (profile `service`).
FROM python:3.12.11-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml README.md ./
COPY src src
COPY .claude/context .claude/context
COPY .claude/hooks .claude/hooks
# A wheel with the native client in it, and beside it every store's driver, the language model of the memory (two models
# have memories apart, so a container must not have another one than the machines), and what setup.sh installs too.
RUN python -m venv /opt/levaithan \
    && /opt/levaithan/bin/pip install --no-cache-dir ".[postgres,redis,elasticsearch,weaviate,helix,memory,otel,claude]"

FROM python:3.12.11-slim-bookworm
RUN useradd --uid 1000 --create-home --home-dir /var/lib/levaithan --shell /usr/sbin/nologin levaithan
COPY --from=build /opt/levaithan /opt/levaithan
ENV PATH=/opt/levaithan/bin:$PATH LEVAITHAN_HOME=/var/lib/levaithan PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER levaithan
VOLUME ["/var/lib/levaithan"]
# What is missing in the home is made first; twice is no change. `exec`, so that a stop reaches the service itself.
ENTRYPOINT ["/bin/sh", "-c", "levaithan setup --yes --no-service --no-demo && exec levaithan serve"]
