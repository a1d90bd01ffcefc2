# SPDX-License-Identifier: Apache-2.0
"""Secrets are masked where they stand as values, and words stay words."""

from __future__ import annotations

import pytest
from oslo_config import cfg

from backup_dispatch.masking import masked

RANDOM = "pX9-kqv7Tw2mZr4b"
HEX = "5fc2b0d19e7a4c33"


def conf_with(secret: str) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.StrOpt("store_key", secret=True), cfg.StrOpt("store_user")])
    conf([])
    conf.set_override("store_key", secret)
    conf.set_override("store_user", "swift")
    return conf


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        # A short word, where it stands as a value.
        ("swift", "key=swift", "key=***"),
        ("swift", "login?user=u&auth=swift&x=1", "login?user=u&auth=***&x=1"),
        ("swift", "X-Store-Auth: swift", "X-Store-Auth: ***"),
        ("swift", "refused (auth: 'swift')", "refused (auth: '***')"),
        ("swift", '{"auth": "swift"}', '{"auth": "***"}'),
        ("swift", "http://u:swift@host/v1", "http://u:***@host/v1"),
        ("swift", "wrong key swift", "wrong key ***"),
        ("swift", "the password is swift.", "the password is ***."),
        ("swift", "Authorization Bearer swift", "Authorization Bearer ***"),
        ("swift", "swift", "***"),
        # The same word, where it is a word.
        ("swift", "Backend swift is down", "Backend swift is down"),
        ("swift", "enabled are posix, swift", "enabled are posix, swift"),
        ("swift", "http://host/swift/v1", "http://host/swift/v1"),
        ("swift", "cinder.backup.drivers.swift", "cinder.backup.drivers.swift"),
        ("swift", "key=swiftly", "key=swiftly"),
        ("1234", "12345 records of 1234", "12345 records of 1234"),
        ("1234", "pin=1234", "pin=***"),
        # What nobody would write by chance is masked everywhere.
        (RANDOM, f"Backend {RANDOM} is down", "Backend *** is down"),
        (RANDOM, f"http://host/{RANDOM}/v1", "http://host/***/v1"),
        (HEX, f"x{HEX}y", "x***y"),
        ("Pa5s-w", "it said Pa5s-w twice: Pa5s-w", "it said *** twice: ***"),
        ("qzxkvjwpbnmtrlgh", "it said qzxkvjwpbnmtrlgh", "it said ***"),
        # Of a URL the password is secret, also as it reads decoded; one without is a token.
        ("mysql://cinder:p%40ss@db/c", "mysql://cinder:p%40ss@db/c", "mysql://cinder:***@db/c"),
        ("mysql://cinder:p%40ss@db/c", "wrong password p@ss", "wrong password ***"),
        ("rabbit://a:swift@m1,b:onion@m2/", "login=onion at m2", "login=*** at m2"),
        ("https://hooks.test/T0K3N", "sent to https://hooks.test/T0K3N", "sent to ***"),
        ("sqlite:////v/c.sqlite", "sqlite:////v/c.sqlite", "sqlite:////v/c.sqlite"),
        ("ab", "x=ab", "x=ab"),
    ],
)
def test_a_secret_is_masked_where_it_stands_as_a_value(secret: str, text: str, shown: str) -> None:
    assert masked(text, conf_with(secret)) == shown
