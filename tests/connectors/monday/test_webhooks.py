"""Being told: which webhooks there should be, registering them, and what an inbound call is taken for."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from connectors.base import Known, Scope
from connectors.calls import Call, Forged, Hook
from connectors.errors import BadResponse, Transient
from connectors.http import WriteRefused
from connectors.monday import MondayConnector
from connectors.monday.documents import CREATE_WEBHOOK
from connectors.monday.webhooks import BODY_LIMIT, EVENTS, SUBITEM_EVENTS
from connectors.readonly import require_subscription
from tests.connectors.monday.pretend import Vendor

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
URL = "https://hub.example.org/receivers/1/unguessable"
SECRET = "the signing secret of the app itself"
HOOK = Hook("board/1771812698/change_column_value", {"board": "1771812698", "event": "change_column_value"}, "73")
EVENT = {
    "app": "monday", "type": "update_column_value", "triggerTime": "2026-05-04T09:12:33.000Z", "subscriptionId": 73, "triggerUuid": "b5ed",
    "userId": 9603417, "boardId": 1771812698, "groupId": "topics", "pulseId": 1772139123, "columnId": "status",
}  # fmt: skip


def receive(body: Any, token: str | None = None, secret: str | None = SECRET, url: str = URL) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    call = Call({"authorization": token} if token else {}, content, url)
    return MondayConnector.receive(call, HOOK, signing_secret=secret, now=NOW)


def signed(algorithm: str = "HS256", secret: str = SECRET, **changes: Any) -> str:
    claims = {"accountId": 900, "userId": 7, "aud": URL, "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 300} | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": algorithm}, kept, OctKey.import_key(secret), algorithms=[algorithm])


def unsigned() -> str:
    """A token by the algorithm that is none."""
    parts = ({"alg": "none", "typ": "JWT"}, {"aud": URL, "exp": int(NOW.timestamp()) + 300})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


def joined(header: dict[str, Any], key: bytes | None = None) -> str:
    """A token by hand, with whatever header; signed by HMAC where there is a key."""
    claims = {"aud": URL, "exp": int(NOW.timestamp()) + 300}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    mac = b"" if key is None else hmac.new(key, ".".join(parts).encode(), "sha256").digest()
    return ".".join([*parts, base64.urlsafe_b64encode(mac).rstrip(b"=").decode()])


def confused() -> list[str]:
    """Tokens that ask to be verified in another way than the hub does: by no algorithm however it is written, by a key that the caller brings along
    or names, by a signature of another kind, by a public key taken for a secret."""
    private = RSAKey.generate_key(2048)
    public = private.as_pem(private=False)
    brought = OctKey.import_key("a key that the caller has made up").as_dict()
    signed_by_rsa = jwt.encode({"alg": "RS256"}, {"aud": URL, "exp": int(NOW.timestamp()) + 300}, private, algorithms=["RS256"])
    alien = b"a key that the caller has made up"
    nameless = [joined({"alg": name, "typ": "JWT"}) for name in ("none", "None", "NONE", "", "HS256")]
    return [
        *nameless,
        signed_by_rsa,
        joined({"alg": "HS256"}, public),
        joined({"alg": "HS256", "jwk": brought}, alien),
        joined({"alg": "HS256", "kid": "../../dev/null"}, alien),
        joined({"alg": "HS256", "jku": "https://evil.example.org/keys", "x5u": "https://evil.example.org/"}, alien),
        joined({"alg": "RS256"}, SECRET.encode()),
        joined({"alg": "HS256", "crit": ["b64"], "b64": False}, SECRET.encode()),
        joined({}, SECRET.encode()),
        signed() + ".x",
        "." + signed().split(".", 1)[1],
        signed().rpartition(".")[0],
        json.dumps({"payload": "e30", "protected": "e30", "signature": ""}),
    ]


# -- what comes in -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "Bearer "])
def test_a_signed_call_names_its_item_and_itself(prefix: str) -> None:
    received = receive({"event": EVENT}, prefix + signed())
    assert (received.touched, received.delivery, received.status, received.secret) == (("task:1772139123",), "b5ed", 200, None)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (None, "not signed"),
        (signed(secret="another secret altogether, just as long"), "not the app's"),
        (signed("HS512"), "not the app's"),
        (unsigned(), "not the app's"),
        *((token, "not the app's") for token in confused()),
        ("nonsense", "not the app's"),
        ("ünlesbar", "not the app's"),
        (signed()[:-6], "not the app's"),
        (signed(exp=int(NOW.timestamp()) - 3600), "expired"),
        (signed(exp=None), "when it expires"),
        (signed(exp="tomorrow"), "when it expires"),
        (signed(exp=True), "when it expires"),
        (signed(aud="https://hub.example.org/receivers/2/another"), "another address"),
        (signed(aud=None), "another address"),
        (signed(aud=["https://elsewhere.example.org"]), "another address"),
    ],
)
def test_a_call_without_the_apps_signature_for_here_and_now_is_forged(token: str | None, words: str) -> None:
    with pytest.raises(Forged, match=words) as caught:
        receive({"event": EVENT}, token)
    assert caught.value.status == 401


def test_a_call_of_a_personal_tokens_webhook_is_a_hint_whatever_it_carries() -> None:
    for token in (None, "nonsense"):
        assert receive({"event": EVENT}, token, secret=None).touched == ("task:1772139123",)


@pytest.mark.parametrize("secret", [None, SECRET])
def test_a_challenge_is_said_back_and_touches_nothing(secret: str | None) -> None:
    received = receive({"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7"}, secret=secret)
    assert json.loads(received.body) == {"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7"}
    assert (received.touched, received.headers["content-type"]) == ((), "application/json")


@pytest.mark.parametrize("word", [7, None, ["x"], "x" * 1_001])
def test_a_challenge_that_is_no_short_text_is_refused(word: Any) -> None:
    with pytest.raises(Forged, match="short text"):
        receive({"challenge": word})


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"{", 400), (b"[]", 400), (b"\xff", 400), (b'{"event": 7}', 400), (b"{}", 400), (b" " * (BODY_LIMIT + 1), 413)]
)
def test_what_is_no_call_of_the_vendors_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(Forged) as caught:
        receive(body, secret=None)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("event", "touched"),
    [
        ({"type": "create_pulse", "pulseId": 5, "boardId": 9}, ("task:5",)),
        ({"type": "create_pulse", "pulseId": 5, "itemId": 5, "boardId": 8, "parentItemId": "4", "parentItemBoardId": "9"}, ("task:5",)),
        ({"type": "delete_pulse", "itemId": 5, "boardId": 9}, ("task:5",)),
        ({"type": "move_pulse_into_group", "pulseId": 5, "sourceGroupId": "a", "destGroupId": "b"}, ("task:5",)),
        ({"type": "create_column", "boardId": 9}, ("project:9",)),
        ({"type": "create_column", "boardId": 8, "parentItemBoardId": "9"}, ("project:9",)),
        ({"type": "something_new"}, ()),
        ({"pulseId": True, "boardId": {"id": 9}}, ()),
        ({"pulseId": "5; drop", "boardId": "1" * 40}, ()),
    ],
)
def test_a_call_says_what_to_read_again_and_nothing_else(event: dict[str, Any], touched: tuple[str, ...]) -> None:
    assert receive({"event": event}, secret=None).touched == touched


# -- what is registered --------------------------------------------------------------------------------------------------------


def wanted(marks: dict[str, Any], **projects: bool) -> list[Hook]:
    connector = Vendor().connector()
    connector.know(Known(marks, {f"project:{key[1:]}": archived for key, archived in projects.items()}))
    return list(connector.hooks_wanted(Scope(excluded=frozenset({"13"}))))


def test_every_live_board_has_its_webhooks_and_one_without_subitems_fewer() -> None:
    mark = {"below": None, "deep": False, "archived": False, "formulas": 0, "shape": "x"}
    hooks = wanted({"board/10": mark, "board/11": mark | {"below": "20"}}, b10=False, b11=False, b12=True, b13=False, b14=False)
    assert {hook.args["board"] for hook in hooks} == {"10", "11", "14"}
    assert {hook.args["event"] for hook in hooks if hook.args["board"] == "10"} == set(EVENTS)
    assert {hook.args["event"] for hook in hooks if hook.args["board"] in ("11", "14")} == {*EVENTS, *SUBITEM_EVENTS}
    assert len({hook.key for hook in hooks}) == len(hooks)
    assert hooks[0].key == "board/10/change_column_value"


@pytest.mark.anyio
async def test_webhooks_are_made_listed_and_removed_and_one_that_is_gone_is_fine() -> None:
    vendor = Vendor()
    vendor.board("10")
    connector = vendor.connector()
    connector.know(Known({}, {"project:10": False, "project:11": False}))
    made = await connector.subscribe(Hook("board/10/create_item", {"board": "10", "event": "create_item"}), URL)
    assert (made.external_id, vendor.webhooks[0]["url"]) == ("1", URL)
    assert list(await connector.hooks_held()) == [made]
    again = await connector.revive(made, URL + "/2")
    assert [row["url"] for row in vendor.webhooks] == [URL + "/2"]
    await connector.unsubscribe(again)
    await connector.unsubscribe(again)
    assert list(await connector.hooks_held()) == []


@pytest.mark.anyio
async def test_an_address_that_the_vendor_would_refuse_is_not_sent() -> None:
    vendor = Vendor()
    with pytest.raises(BadResponse, match="255"):
        await vendor.connector().subscribe(HOOK, URL + "x" * 255)
    assert vendor.bodies == []


@pytest.mark.anyio
async def test_a_refused_registration_says_why_and_a_failed_list_is_an_error() -> None:
    vendor = Vendor()
    refusal = {
        "data": {"create_webhook": None},
        "errors": [{"message": "The url did not answer", "extensions": {"code": "InvalidArgumentException"}}],
    }
    vendor.script = [(200, refusal)]
    connector = vendor.connector()
    with pytest.raises(BadResponse, match="did not answer"):
        await connector.subscribe(HOOK, URL)
    connector.know(Known({}, {"project:10": False}))
    error = {"message": "Internal server error", "path": ["w0"], "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
    vendor.script = [(200, {"data": {"complexity": {}, "w0": None}, "errors": [error]})]
    with pytest.raises(Transient):
        await connector.hooks_held()


def test_nothing_but_webhooks_may_be_made_or_removed() -> None:
    require_subscription(CREATE_WEBHOOK, MondayConnector.hooks)
    with pytest.raises(WriteRefused):
        require_subscription("mutation { delete_item(item_id: 1) { id } }", MondayConnector.hooks)
