# The server, its bundled towers and its text model. docs/deploy.md tells how it is built and run.

# What it is built on and what it runs on: of the same Debian, for the C library's sake. The first needs Rust 1.95 and a C++ compiler.
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
# Features of the package `sensorium`, with commas between them.
ARG CARGO_FEATURES=""
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin sensorium --features "${CARGO_FEATURES}" \
    && cp target/release/sensorium /sensorium

FROM python:3.13-slim-bookworm AS text-model
COPY scripts/fetch-text-model /usr/local/bin/
RUN XDG_CACHE_HOME=/cache fetch-text-model

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="sensorium" \
      org.opencontainers.image.licenses="Apache-2.0"
# Authorities for TLS, and a font for the words in drawings.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/sensorium /var/cache/sensorium
COPY models/starter /opt/sensorium/models/starter
COPY --from=text-model /cache/sensorium/models/all-MiniLM-L6-v2 /opt/sensorium/models/all-MiniLM-L6-v2
COPY --from=build /sensorium /usr/local/bin/sensorium
# Models of other profiles go to the cache folder. The data folder lies below its volume, so that the server owns it.
ENV SENSORIUM__PROFILE__STARTER_DIR=/opt/sensorium/models/starter \
    SENSORIUM__PROFILE__TEXT_MODEL_DIR=/opt/sensorium/models/all-MiniLM-L6-v2 \
    SENSORIUM__STORAGE__DATA_DIR=/var/lib/sensorium/data \
    XDG_CACHE_HOME=/var/cache/sensorium
USER 10001:10001
WORKDIR /var/lib/sensorium
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [[ $status == 200 ]]"]
ENTRYPOINT ["sensorium"]
# Beyond loopback the server wants SENSORIUM__AUTH__HS256_SECRET, and says so.
CMD ["serve", "--listen", "0.0.0.0:8080"]
