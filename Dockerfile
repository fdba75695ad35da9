# leadchange in a container: non-root, with everything that changes in /data.
#   docker build -t leadchange . && docker run --read-only --tmpfs /tmp -v leadchange:/data -p 127.0.0.1:8765:8765 leadchange

FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/leadchange \
    && /opt/leadchange/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN /opt/leadchange/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home leadchange
COPY --from=build /opt/leadchange /opt/leadchange
COPY deploy/container.toml /etc/leadchange.toml
USER 10001
WORKDIR /data
VOLUME /data
ENV LEADCHANGE_CONFIG=/etc/leadchange.toml HF_HOME=/data/huggingface PYTHONDONTWRITEBYTECODE=1
EXPOSE 8765
HEALTHCHECK --interval=5m --timeout=10s --start-period=20m \
    CMD ["/opt/leadchange/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8765/healthz', timeout=5)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/leadchange/bin/leadchange"]
CMD ["run"]
