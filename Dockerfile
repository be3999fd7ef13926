# Every package comes from constraints.txt, verified by its hash, the build backend included. Only what the hub needs reaches the last stage.
FROM python:3.11-slim AS build
WORKDIR /src
COPY constraints.txt ./
RUN python -m pip download --no-cache-dir --require-hashes --only-binary :all: -r constraints.txt -d /wheels
COPY . .
RUN python -m venv --without-pip /app \
 && python -m pip --python /app/bin/python install --no-cache-dir --no-index --find-links /wheels .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin hub \
 && install -d -o hub -g hub -m 0700 /data
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH HUB_DATABASE_URL=sqlite:////data/hub.db HUB_LOG_FORMAT=json
USER hub
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["hub"]
CMD ["serve", "--host", "0.0.0.0"]
