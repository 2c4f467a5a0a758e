"""Bounds of a server's settings, and what an address beyond this computer needs."""

import pytest

from remedis.errors import UserError
from remedis.serving.settings import ServingSettings

TOKEN = "0123456789abcdef"


def test_the_defaults_are_for_this_computer_alone():
    settings = ServingSettings()
    assert settings.loopback
    assert settings.token is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_addresses_need_no_token(host):
    assert ServingSettings(host=host).loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "a.hospital.example", ""])
def test_other_addresses_need_a_token_or_the_word_that_there_is_none(host):
    with pytest.raises(UserError, match="is reached from other computers, and there is no token"):
        ServingSettings(host=host)
    assert not ServingSettings(host=host, token=TOKEN).loopback
    assert not ServingSettings(host=host, no_token=True).loopback


@pytest.mark.parametrize("token", ["", "short", TOKEN[:-1]])
def test_a_short_token_is_refused(token):
    with pytest.raises(UserError, match="fewer than 16 characters"):
        ServingSettings(token=token)


def test_a_token_is_not_shown():
    assert TOKEN not in repr(ServingSettings(token=TOKEN))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1),
        ("port", 65_536),
        ("max_bytes", 0),
        ("max_pixels", 0),
        ("max_pixels", 10**10),
        ("max_queue", 0),
        ("batch_size", 0),
        ("batch_wait_ms", -1.0),
        ("batch_wait_ms", float("nan")),
        ("timeout_seconds", 0.0),
        ("timeout_seconds", float("inf")),
        ("body_seconds", 0.0),
        ("concurrency", 0),
        ("decoders", 0),
        ("max_json_depth", 1),
        ("neighbours", 0),
    ],
)
def test_a_setting_out_of_its_bounds_is_named(name, value):
    with pytest.raises(UserError, match=rf"{name}={value}.*: expected .* to .*\."):
        ServingSettings(**{name: value})


def test_a_queue_that_never_holds_a_batch_is_refused():
    with pytest.raises(UserError, match="max_queue=4 is less than batch_size=8"):
        ServingSettings(max_queue=4)
