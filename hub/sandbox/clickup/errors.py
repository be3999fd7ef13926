"""How ClickUp says no: ``{"err", "ECODE"}`` with a status, HTML for an unknown route and from the gateways before it.

Where the vendor's wording or code is not known (bad numbers, payment, plain 500) the body says ``SANDBOX_...``: no client may build on it.
"""

from __future__ import annotations

from datetime import datetime

import orjson

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
_GATEWAY = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
_BODIES = {
    400: ("Bad request", "SANDBOX_400"),
    401: ("Token invalid", "OAUTH_025"),
    402: ("Not in your plan", "SANDBOX_402"),
    403: ("Team not authorized", "OAUTH_027"),
    404: ("List not found", "ITEM_015"),
    429: ("Rate limit reached", "APP_002"),
}


class VendorError(Exception):
    """An answer other than 200, as the vendor words it."""

    def __init__(self, status: int, text: str, ecode: str) -> None:
        super().__init__(f"{status} {ecode}")
        self.status = status
        self.body = orjson.dumps({"err": text, "ECODE": ecode})


def no_header() -> VendorError:
    """Status 400 is from memory of the service; the documentation gives the code only."""
    return VendorError(400, "Authorization header required", "OAUTH_017")


def token_unknown() -> VendorError:
    return VendorError(401, "Oauth token not found", "OAUTH_019")


def token_invalid() -> VendorError:
    return VendorError(401, "Token invalid", "OAUTH_025")


def not_authorized() -> VendorError:
    """A workspace, or a thing named by its id, that this token may not see: a 401, though the token itself is good."""
    return VendorError(401, "Team not authorized", "OAUTH_027")


def task_gone() -> VendorError:
    return VendorError(404, "Task not found, deleted", "ITEM_013")


def container_gone(word: str) -> VendorError:
    return VendorError(404, f"{word} not found", "ITEM_015")


def webhook_exists() -> VendorError:
    """The code is documented, its status is not."""
    return VendorError(400, "Webhook configuration already exists", "OAUTH_171")


def webhook_gone() -> VendorError:
    """How the vendor words this is not known."""
    return VendorError(404, "Webhook not found", "SANDBOX_404")


def not_json() -> VendorError:
    """Writes want a JSON object and say so in their Content-Type."""
    return VendorError(400, "Unexpected body", "SANDBOX_400")


def rate_limited() -> VendorError:
    return VendorError(429, *_BODIES[429])


def bad_value(name: str, value: str) -> VendorError:
    """What the vendor does with a number that is none is unknown; refusing it loudly keeps a client's slip from passing as 'no filter'."""
    return VendorError(400, f"{name} is invalid: {value[:40]}", "SANDBOX_400")


def refused(code: int) -> VendorError:
    """What a container answers that the sandbox was told to refuse: the vendor's own body for that status."""
    return not_authorized() if code == 401 else VendorError(code, *_BODIES.get(code, ("Internal server error", "SANDBOX_500")))


def page(status: int, title: str) -> bytes:
    return f"<html><head><title>{status} {title}</title></head><body><center><h1>{status} {title}</h1></center></body></html>".encode()


def error_body(code: int, now: datetime) -> tuple[dict[str, str], bytes]:
    """Headers and body of an answer with status ``code``, for faults made outside this package. A 429 is over after a second."""
    if code in _GATEWAY:
        return {"content-type": HTML}, page(code, _GATEWAY[code])
    headers = {"content-type": JSON}
    if code == 429:
        headers |= {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(now.timestamp()) + 1)}
    text, ecode = _BODIES.get(code, ("Internal server error", "SANDBOX_500"))
    return headers, orjson.dumps({"err": text, "ECODE": ecode})
