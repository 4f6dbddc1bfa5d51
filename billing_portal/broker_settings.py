"""Settings of what Redis is for: the broker of background work, and the cache that counts."""

from typing import Any

from redis.backoff import NoBackoff
from redis.retry import Retry

from billing_portal.environment import DATA_DIR, DEBUG, env

#: A Redis that is there and says nothing (it swaps, or a firewall drops what it says) must hold up
#: no customer for long. Its clients would wait for ever, or try for half a minute.
REDIS_TIMEOUTS = {"socket_connect_timeout": 1, "socket_timeout": 2}

CACHES = {"default": env.cache_url("CACHE_URL", default="locmemcache://")}
if CACHES["default"]["BACKEND"].endswith(".RedisCache"):
    CACHES["default"]["OPTIONS"] = {
        **REDIS_TIMEOUTS,
        # Once more over a new connection, for the old one may have been cut off.
        "retry": Retry(NoBackoff(), retries=1),
        **CACHES["default"].get("OPTIONS", {}),
    }

CELERY_BROKER_URL = env.str("BROKER_URL", "") or "filesystem://"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if CELERY_BROKER_URL == "filesystem://" and DEBUG:
    _broker_dir = DATA_DIR / "broker"
    for _folder in ("messages", "control"):
        (_broker_dir / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_broker_dir / "messages"),
        "data_folder_out": str(_broker_dir / "messages"),
        "control_folder": str(_broker_dir / "control"),
        "polling_interval": 0.1,
    }
elif CELERY_BROKER_URL.startswith(("redis", "sentinel")):
    CELERY_BROKER_TRANSPORT_OPTIONS = dict(REDIS_TIMEOUTS)
#: Once more, likewise. Then a nudge is lost, and a sweep does what it was for (accounts/nudges.py).
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_BEAT_SCHEDULER = "billing_portal.beat:PatientScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
DJANGO_CELERY_BEAT_TZ_AWARE = True
