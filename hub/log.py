"""Structured logs on stderr. Ids of the request, run and connection are bound as context variables; secrets are cut
out by ``redact`` before anything is rendered."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET = re.compile(r"(?i)(authorization|token|secret|password|api[_-]?key|cookie)")
BEARER = re.compile(
    r"(?<=/receivers/)[^\s\"'?#]+|(?<=/setup/)[^\s\"'?#]+|"  # an address that opens something is as good as a password
    r"\b(Bearer\s+\S+|pk_[0-9A-Za-z_]+|[0-2]/\d{6,}(?:/\d+)?:[0-9a-f]{16,}|hub_[0-9A-Za-z_-]{8,}|eyJ[\w-]+\.[\w-]+\.[\w-]+)"
)
HIDDEN = "[redacted]"


def redact(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: values under secret-like names, and secret-like words in any text, are replaced."""
    for key, value in entry.items():
        entry[key] = HIDDEN if SECRET.search(key) else without_secrets(value)
    return entry


def without_secrets(value: Any) -> Any:
    """The same value with secret-like words cut out of its texts."""
    if isinstance(value, str):
        return BEARER.sub(HIDDEN, value)
    if isinstance(value, (list, tuple)):
        return [without_secrets(each) for each in value]
    if isinstance(value, dict):
        return {key: HIDDEN if SECRET.search(str(key)) else without_secrets(each) for key, each in value.items()}
    return value


def configure(fmt: str = "console", level: str = "INFO") -> None:
    """Sets up logging for this process; called once by the CLI."""
    renderer: Any = structlog.processors.JSONRenderer() if fmt == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),  # looked up each time: stderr may be another one by then
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s", force=True)


def get(name: str) -> Any:
    return structlog.get_logger(name)
