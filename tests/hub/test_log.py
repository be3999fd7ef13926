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


def test_levels_below_the_chosen_one_are_silent(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "WARNING")
    log.get("test").info("quiet")
    assert capfd.readouterr().err == ""
