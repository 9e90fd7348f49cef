# Two images from one build: `connector` (the default) and, for demos and tests, `simulator`.
#   docker build -t genesys-kafka .
#   docker build -t genesys-simulator --target simulator .
# docs/deployment.md says how to run them.

FROM debian:trixie-slim AS build
WORKDIR /src
# Only what decides which packages are installed: editing the sources does not install them again.
COPY scripts/setup scripts/common.sh scripts/versions scripts/
RUN scripts/setup --for build
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake/ cmake/
COPY common/ common/
COPY config/ config/
COPY connector/ connector/
COPY tests/ tests/
RUN cmake --preset release \
    && cmake --build --preset release --target genesys-kafka genesys-simulator \
    && strip build/release/connector/genesys-kafka build/release/tests/simulator/genesys-simulator

# The libraries both programs load, the system's certificate store and its time zones. The package versions are those of the Debian
# release: that is what fixes them, and rebuilding the image is how security updates (and clocks that change otherwise) arrive.
FROM debian:trixie-slim AS runtime
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates \
        libboost-container1.83.0 \
        libboost-json1.83.0 \
        libboost-url1.83.0 \
        libdate-tz3 \
        libfmt10 \
        libprometheus-cpp-core1.0 \
        librdkafka1 \
        libsimdjson25 \
        libspdlog1.15 \
        libssl3t64 \
        libstdc++6 \
        libxxhash0 \
        libyaml-cpp0.8 \
        tzdata \
        zlib1g \
    && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGTERM
# No such user exists in the image, and none is needed.
USER 65532:65532

FROM runtime AS simulator
ARG VERSION=development
ARG REVISION=unknown
LABEL org.opencontainers.image.title="genesys-simulator" \
      org.opencontainers.image.description="A simulated Genesys Cloud Analytics API, for demos and tests" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /src/build/release/tests/simulator/genesys-simulator /usr/bin/genesys-simulator
# A library missing above fails the build, not the first start.
RUN ["/usr/bin/genesys-simulator", "--help"]
EXPOSE 8080
ENTRYPOINT ["/usr/bin/genesys-simulator"]

FROM runtime AS connector
ARG VERSION=development
ARG REVISION=unknown
LABEL org.opencontainers.image.title="genesys-kafka" \
      org.opencontainers.image.description="Genesys Cloud Analytics to Apache Kafka source connector" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /src/build/release/connector/genesys-kafka /usr/bin/genesys-kafka
RUN ["/usr/bin/genesys-kafka", "--version"]
EXPOSE 9464
# The port of `metrics.listen`; Debian's bash speaks TCP, so nothing is installed for this. Kubernetes ignores it and has its own probes.
ENV HEALTH_PORT=9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>\"/dev/tcp/127.0.0.1/$HEALTH_PORT\" && printf 'GET /health/live HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && IFS= read -r -t 3 status <&3 && [[ $status == 'HTTP/1.1 200'* ]]"]
ENTRYPOINT ["/usr/bin/genesys-kafka"]
CMD ["run", "--config", "/etc/genesys-kafka/config.yaml"]
