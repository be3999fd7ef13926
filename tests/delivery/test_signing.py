"""What we sign, the public package verifies."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from hub.delivery import signing


def headers(secrets: list[str], body: bytes) -> dict[str, str]:
    signed = signing.sign([signing.key(secret) for secret in secrets], "msg_1", datetime.now(UTC), body)
    return {name.decode(): value.decode() for name, value in signed}


@given(st.dictionaries(st.text(), st.text()))
def test_a_receiver_with_the_secret_accepts_the_message(data: dict[str, str]) -> None:
    secret, body = signing.new_secret(), orjson.dumps(data)
    assert Webhook(secret).verify(body, headers([secret], body)) == data


def test_during_a_rotation_either_secret_verifies_and_no_third() -> None:
    new, old = signing.new_secret(), signing.new_secret()
    sent = headers([new, old], b"{}")
    assert sent["webhook-signature"].count("v1,") == 2
    for secret in (new, old):
        Webhook(secret).verify(b"{}", sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret()).verify(b"{}", sent)


@pytest.mark.parametrize("change", [{"webhook-id": "msg_2"}, {"webhook-timestamp": "1764000000"}, {"webhook-signature": "v1,AAAA"}])
def test_nothing_of_a_message_can_be_changed(change: dict[str, str]) -> None:
    secret = signing.new_secret()
    sent = headers([secret], b"{}")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b"{}", sent | change)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b'{"a": 1}', sent)
