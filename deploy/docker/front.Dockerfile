# The API's front: Debian's HAProxy, which gets Debian's fixes, on the services' own base, so that there is one to renew.
ARG PYTHON=python:3.13-slim-bookworm
FROM ${PYTHON}
# What the base has is kept beside what there is then: the difference is what its bill of materials says was added.
RUN cp /var/lib/dpkg/status /var/lib/dpkg/status-base \
    && apt-get update -qq && apt-get install -y -qq --no-install-recommends haproxy \
    && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY deploy/docker/front.cfg /etc/haproxy/haproxy.cfg
USER 10001:10001
# Whether an API answers through it.
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8000 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.. 200' <&3"]
ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"]
