"""Walking a list: ``limit`` and ``cursor``. A cursor is the last row's key with a seal over the filters it belongs to; it is no secret."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from hashlib import blake2b
from typing import Any

import orjson
from pydantic import BaseModel, Field

from hub.api.problems import Problem
from hub.portfolio.keyset import Key, Keyset


class Paging(BaseModel):
    limit: int = Field(100, ge=1, le=1000, description="rows a page")
    cursor: str | None = Field(None, max_length=2000, description="the answer's next_cursor, with the same filters")

    def after(self, keyset: Keyset) -> Key | None:
        """The key to go on after. Raises a problem for a cursor that is garbage or belongs to other filters."""
        if self.cursor is None:
            return None
        try:
            texts, seal = orjson.loads(b64decode(self.cursor.encode(), b"-_", validate=True))
            if seal != self._seal(texts):
                raise ValueError("another question's cursor")
            return keyset.parse(texts)
        except (ValueError, TypeError, NotBase64) as error:
            detail = "the cursor does not belong to this question: ask with the same filters as before, or from the beginning without it"
            raise Problem(400, "invalid_cursor", detail, errors=[("query/cursor", detail)]) from error

    def next_cursor(self, key: Key | None) -> str | None:
        if key is None:
            return None
        texts = [str(part) for part in key]
        return urlsafe_b64encode(orjson.dumps([texts, self._seal(texts)])).decode()

    def _seal(self, texts: Any) -> str:
        asked = self.model_dump(mode="json", exclude={"limit", "cursor"})
        return blake2b(orjson.dumps([type(self).__name__, asked, texts], option=orjson.OPT_SORT_KEYS), digest_size=9).hexdigest()


class Zoned(BaseModel):
    tz: str | None = Field(None, max_length=100, description="the time zone in which today is today; else the hub's own")
