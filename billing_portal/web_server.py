"""gunicorn's settings: `gunicorn --config python:billing_portal.web_server billing_portal.wsgi`.

The one place of them, for the image, the demo and the bench; docs/deployment.md says what they are
worth. What differs (the address, the time to stop in) is on the command line, which comes first.
"""

import gc
import os
import sys
from pathlib import Path
from typing import Any

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (memory that looks like a folder)

worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
timeout = 60
graceful_timeout = 30
# Longer than a proxy keeps its connections (nginx: 60 s), so that it is the proxy that closes them.
# A connection that waits holds no thread.
keepalive = 75
# Workers prove that they live by touching a file: on a disk that hangs, they would be killed.
worker_tmp_dir = str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None
control_socket_disable = True
# No access log: the portal logs its requests itself, without the secrets in some of their addresses
# (log_context.py).


#: How long a thread that computes keeps the others waiting. With Python's 5 ms, a question that
#: takes one waited for as many as five times that while a batch was rated beside it.
SWITCH_SECONDS = 0.0005


def post_worker_init(worker: Any) -> None:
    """Let threads take turns quickly, and spare the garbage collector what the apps have loaded.

    That stays until the process ends: a full collection went through all of it, 200,000 objects,
    and held up every thread for a tenth of a second.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
