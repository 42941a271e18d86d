# The official Fluent Bit with the three plugins, running conf/sidecar as a user without rights. It writes to
# /var/lib/fluent-bit only: run it with a read-only root.
#
#   make image                                                       for this machine's platform
#   make image PLATFORM=linux/amd64,linux/arm64 IMAGE_FLAGS=--push   for both; neither is emulated
#   docker build --target plugins -t fluent-bit-flbgo-plugins .      only the three .so files, to copy into your image
#
# The plugins need glibc 2.17, so any official image from 1.9 on will do: --build-arg FLUENT_BIT_VERSION=2.2.3. A
# configuration of your own is mounted, or copied by an image FROM this one: conf/README.md.

ARG FLUENT_BIT_VERSION=5.1.1
ARG GO_IMAGE=golang:1.26-bookworm

# On the machine's own platform, whatever it builds for.
FROM --platform=${BUILDPLATFORM} ${GO_IMAGE} AS builder
WORKDIR /src
# zig, the C compiler; an older layer than the sources.
COPY scripts/zig.sh scripts/packages.sh scripts/say.sh scripts/
RUN scripts/zig.sh
COPY go.mod go.sum ./
RUN go mod download
COPY plugins plugins
COPY shared shared
COPY scripts scripts
# amd64 or arm64; BuildKit knows.
ARG TARGETARCH
# What is stamped into the plugins and logged when they start: --build-arg VERSION=$(git describe --tags --always)
ARG VERSION=dev
RUN scripts/release.sh "$TARGETARCH" bin "$VERSION"
# The official image has neither a shell nor curl for a health check, nor mkdir for the folders of its user.
RUN cd scripts && CGO_ENABLED=0 GOARCH=$TARGETARCH go build -buildvcs=false -trimpath -ldflags "-s -w" -o /out/healthcheck ./healthcheck
RUN mkdir -p /out/lib/fluent-bit /out/log/app

FROM scratch AS plugins
COPY --from=builder /src/bin/*.so /

FROM fluent/fluent-bit:${FLUENT_BIT_VERSION}
ARG VERSION=dev
LABEL org.opencontainers.image.title="Fluent Bit with enrich, field_metrics and kafka_batch" \
      org.opencontainers.image.version="${VERSION}"
# Plugin lists name their files relative to this folder.
WORKDIR /opt/flbgo
COPY --from=plugins / bin/
COPY --from=builder /out/healthcheck bin/
COPY conf conf
COPY --from=builder --chown=65532:65532 /out/lib/ /var/lib/
COPY --from=builder --chown=65532:65532 /out/log/ /var/log/
# KAFKA_BROKERS has no default.
ENV LOG_DIR=/var/log/app \
    STATE_DIR=/var/lib/fluent-bit \
    KAFKA_TOPIC=logs \
    SERVICE_NAME=unknown_service \
    SERVICE_VERSION=unknown \
    METRICS_LISTEN=0.0.0.0:2021 \
    KAFKA_METRICS_LISTEN=0.0.0.0:2022 \
    HTTP_PORT=2020
# Offsets and buffers: what is in it when the container is removed without it is lost.
VOLUME /var/lib/fluent-bit
EXPOSE 2021 2022
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=15s --retries=3 CMD ["/opt/flbgo/bin/healthcheck"]
ENTRYPOINT ["/fluent-bit/bin/fluent-bit"]
CMD ["-c", "conf/sidecar/fluent-bit.conf"]
