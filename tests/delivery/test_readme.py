"""What README tells receivers to run works on what the hub sends: its Python, and its JavaScript where Node is at hand."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.delivery import catalogue, signing
from hub.delivery.envelope import body
from tests.delivery.stage import now

README = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
MESSAGE = body(catalogue.example("task.status_changed"), thin=False)
OLD, NEW, OTHER = (signing.new_secret() for _ in range(3))
Receive = Callable[[str, dict[str, str], bytes], dict[str, Any]]


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return str(found)


def signed(*secrets: str, ago: timedelta = timedelta()) -> dict[str, str]:
    made = signing.sign([signing.key(each) for each in secrets], "message", now() - ago, MESSAGE)
    return {name.decode(): value.decode() for name, value in made}


def python() -> Receive:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    receive: Receive = names["receive"]
    return receive


def node() -> Receive:
    program = shutil.which("node")
    if program is None:
        pytest.skip("there is no Node here to run README's JavaScript")
    calls = """
        const [secret, headers, body] = JSON.parse(process.argv.at(-1));
        console.log(JSON.stringify(receive(secret, headers, Buffer.from(body, "base64"))));
    """

    def receive(secret: str, headers: dict[str, str], message: bytes) -> dict[str, Any]:
        given = json.dumps([secret, headers, base64.b64encode(message).decode()])
        code = block("js").replace("export ", "") + calls
        ran = subprocess.run([program, "--input-type=module", "--eval", code, "--", given], capture_output=True, text=True, check=False, timeout=60)
        if ran.returncode:
            raise ValueError(ran.stderr)
        return dict(json.loads(ran.stdout))

    return receive


@pytest.mark.parametrize("made", [python, node])
def test_readmes_receiver_takes_what_is_genuine_and_nothing_else(made: Callable[[], Receive]) -> None:
    receive = made()
    assert receive(NEW, signed(NEW), MESSAGE) == json.loads(MESSAGE)
    assert receive(OLD, signed(NEW, OLD), MESSAGE)["type"] == "task.status_changed"
    for secret, headers, message in (
        (NEW, signed(OTHER), MESSAGE),
        (NEW, signed(NEW), MESSAGE + b" "),
        (NEW, signed(NEW) | {"webhook-id": "another"}, MESSAGE),
        (NEW, signed(NEW, ago=timedelta(hours=1)), MESSAGE),
    ):
        with pytest.raises(Exception, match=r"(?i)sign|old|forged|timestamp"):
            receive(secret, headers, message)


def test_readmes_example_is_the_catalogues() -> None:
    shown = json.loads(block("json").replace(", ...", ""))
    real = json.loads(MESSAGE)
    state, shown_state = real["data"].pop("object"), shown["data"].pop("object")
    assert shown == real
    assert shown_state.items() <= state.items()
