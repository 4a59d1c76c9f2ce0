# Two images: "sim", the default, computes on the simulator; "sdk" has Graphcore's Poplar SDK.
# See docs/docker.md.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG POPLAR_IMAGE=graphcore/poplar:3.3.0

FROM ${POPLAR_IMAGE} AS sdk

USER 0
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
       g++=4:9.3.0-1ubuntu2 make=4.2.1-1.2 python3-dev=3.8.2-0ubuntu2 python3-venv=3.8.2-0ubuntu2 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 odla
USER 10001
WORKDIR /home/odla/odla_ipu
ENV ODLA_IPU_CACHE=/home/odla/cache \
    PATH=/home/odla/venv/bin:$PATH
RUN python3 -m venv /home/odla/venv
COPY --chown=10001:10001 docker/requirements-sdk.txt docker/
RUN pip install --no-cache-dir --no-deps -r docker/requirements-sdk.txt
COPY --chown=10001:10001 . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && make -C kernels
RUN python docker/prepare.py weights
HEALTHCHECK CMD ["odla-ipu", "devices"]
ENTRYPOINT ["docker/entrypoint.sh"]
CMD ["demo"]

FROM ${PYTHON_IMAGE} AS sim

RUN apt-get update \
    && apt-get install -y --no-install-recommends g++=4:12.2.0-3 make=4.3-4.1 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 odla
USER 10001
WORKDIR /home/odla/odla_ipu
ENV ODLA_IPU_CACHE=/home/odla/cache \
    ODLA_IPU_DEVICE=sim \
    PATH=/home/odla/venv/bin:$PATH
RUN python3 -m venv /home/odla/venv
COPY --chown=10001:10001 docker/requirements-sim.txt docker/
RUN pip install --no-cache-dir --no-deps -r docker/requirements-sim.txt
COPY --chown=10001:10001 . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && python docker/prepare.py kernels
RUN python docker/prepare.py weights
HEALTHCHECK CMD ["python", "docker/health.py"]
ENTRYPOINT ["docker/entrypoint.sh"]
CMD ["demo"]
