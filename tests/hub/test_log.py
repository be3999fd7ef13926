"""Logs never show secrets."""

from __future__ import annotations

import pytest

from hub import log


@pytest.mark.parametrize("fmt", ["console", "json"])
def test_secret_like_names_and_words_are_cut_out(fmt: str, capfd: pytest.CaptureFixture[str]) -> None:
    log.configure(fmt, "INFO")
    log.get("test").info("called with Bearer canary-1", token="canary-2", note="key hub_canary-3-long-enough and pk_canary_4", fine="visible")
    shown = capfd.readouterr().err
    assert "canary" not in shown
    assert "visible" in shown


def test_secrets_inside_lists_and_mappings_are_cut_out(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "INFO")
    log.get("test").info(
        "ended", errors=["refused 1/1204567890:ca0a0a0acafe00112233445566778899", "fine"], held={"token": "canary-1", "note": ["pk_canary_2"]}
    )
    shown = capfd.readouterr().err
    assert "canary" not in shown
    assert "ca0a0a" not in shown
    assert "fine" in shown


def test_levels_below_the_chosen_one_are_silent(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "WARNING")
    log.get("test").info("quiet")
    assert capfd.readouterr().err == ""


def test_the_address_of_a_webhook_is_cut_out_and_the_rest_of_the_line_is_not(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "INFO")
    log.get("test").info("asked", path="/receivers/8a1c/canary-token", words='cannot reach "https://hub.example.org/receivers/8a1c/canary" today')
    shown = capfd.readouterr().err
    assert "canary" not in shown
    assert "today" in shown
