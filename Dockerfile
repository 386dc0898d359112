# The image of rekeyd: one static binary, certificates and time zones. No shell, no package manager, no root.
# `cargo xtask image` builds it with the arguments below; plain `docker build .` works too.

ARG RUST_IMAGE=docker.io/library/rust:1.95-slim-bookworm

# checkov:skip=CKV_DOCKER_7:the tag is in RUST_IMAGE
FROM ${RUST_IMAGE} AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /src

# The packaging tool comes first, because it changes least.
COPY .cargo .cargo
COPY deploy/xtask deploy/xtask
RUN cargo build --locked --manifest-path deploy/xtask/Cargo.toml

# The dependencies in a separate layer, built with an empty rekeyd.
ARG FEATURES=
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo 'fn main() {}' >src/main.rs && touch src/lib.rs \
    && cargo xtask build --features "${FEATURES}" \
    && rm -r src

# The reference configuration is part of the manual in the binary.
COPY config/rekeyd.toml config/rekeyd.toml
COPY src src
# Cargo compares modification times, and those of a checkout may be older than the empty rekeyd.
RUN touch src/lib.rs src/main.rs && cargo xtask build --features "${FEATURES}"

# The content of the image, in its final layout. The notices of files from Debian are Debian's.
COPY LICENSE ./
RUN binary=$(cargo xtask build --features "${FEATURES}") \
    && install -D "${binary}" /image/usr/bin/rekeyd \
    && cargo xtask notices --features "${FEATURES}" /image/usr/share/doc/rekeyd \
    && install -D -m 644 -t /image/usr/share/doc/rekeyd LICENSE \
    && install -D -m 644 -t /image/etc/ssl/certs /etc/ssl/certs/ca-certificates.crt \
    && cp -r /usr/share/zoneinfo /image/usr/share/zoneinfo \
    && rm -rf /image/usr/share/zoneinfo/posix /image/usr/share/zoneinfo/right \
    && for package in ca-certificates libc6 tzdata; do \
        install -D -m 644 -t "/image/usr/share/doc/${package}" "/usr/share/doc/${package}/copyright"; \
    done \
    && echo 'rekeyd:x:65532:65532::/:/sbin/nologin' >/image/etc/passwd \
    && chmod -R a=rX,u+w /image

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rekeyd" \
    org.opencontainers.image.description="Keeps the client secrets of Microsoft Entra applications fresh, without an outage" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
ENV REKEYD_CONFIG=/etc/rekeyd/rekeyd.toml
USER 65532:65532
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# checkov:skip=CKV_DOCKER_2:the platform probes /livez and /readyz; the image has no program to do so
ENTRYPOINT ["/usr/bin/rekeyd"]
CMD ["run"]
