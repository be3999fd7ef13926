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
    r"\b(Bearer\s+\S+|pk_[0-9A-Za-z_]+|[0-2]/\d{6,}(?:/\d+)?:[0-9a-f]{16,}|hub_[0-9A-Za-z_-]{8,}|eyJ[\w.-]+)"
)
HIDDEN = "[redacted]"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


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


def flat(text: str) -> str:
    """The text in one line and without a terminal's control characters: what a stranger writes must not look like lines of ours."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def flatten(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor for people's eyes: texts in one line, a traceback's lines indented. (JSON escapes by itself.)"""
    for key, value in list(entry.items()):
        if key == "exception":
            entry[key] = "\n".join(f"    {flat(line)}" for line in str(value).split("\n"))
        elif isinstance(value, str):
            entry[key] = flat(value)
    return entry


class OneLine(logging.Formatter):
    """For what libraries log."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return flat(super().formatMessage(record))


def configure(fmt: str = "console", level: str = "INFO") -> None:
    """Sets up logging for this process; called once by the CLI."""
    console = (flatten, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
    rendered: Any = (structlog.processors.JSONRenderer(),) if fmt == "json" else console
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            *rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),  # looked up each time: stderr may be another one by then
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def get(name: str) -> Any:
    return structlog.get_logger(name)
