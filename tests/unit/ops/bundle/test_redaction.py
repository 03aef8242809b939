"""No secret passes, in whatever form it is written."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.bundle.redaction import MASK, Redactor, masked, secret_name, without_literals
from ops.bundle.secrets import secret_variables, setting_names

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAzzz\n-----END RSA PRIVATE KEY-----"


def redactor(*secrets: str, devices: tuple[str, ...] = ()) -> Redactor:
    return Redactor(secrets, devices, b"key")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=6, max_size=30).filter(str.strip))
def test_a_known_secret_is_found_in_each_form(secret: str) -> None:
    forms = [secret, quote(secret, safe=""), json.dumps(secret), base64.b64encode(secret.encode()).decode()]
    for form in forms:
        assert form.strip('"') not in redactor(secret).text(f"before {form} after").replace(MASK, "")


def test_a_short_secret_is_found_as_a_word_and_leaves_other_words_alone() -> None:
    assert redactor("abc").text("with abc, not abcd") == f"with {MASK}, not abcd"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"refused {TOKEN}", TOKEN),
        ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("authorization=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("postgresql://me:hunter2@db/x", "hunter2"),
        ("host=db password=hunter2 user=me", "hunter2"),
        ('{"client_secret": "hunter2"}', "hunter2"),
        ("SASL_PASSWORD: 'hun ter2'", "hun ter2"),
        (f"key:\n{KEY}\nrest", "MIIEpAIBAAKCAQEAzzz"),
        (KEY.partition("\n-----END")[0], "MIIEpAIBAAKCAQEAzzz"),
    ],
)
def test_what_looks_like_a_secret_is_masked_though_nobody_knew_it(text: str, secret: str) -> None:
    made = redactor()
    assert secret not in made.text(text)
    assert sum(made.counts.values()) >= 1


def test_ordinary_lines_stay_as_they_are() -> None:
    line = '{"event": "batch_committed", "rows": 1234, "url": "http://127.0.0.1:9090/graph", "tokens": ""}'
    made = redactor("s3cret-value")
    assert made.text(line) == line
    assert +made.counts == {}


def test_device_ids_in_logs_become_pseudonyms_of_this_bundle() -> None:
    one, other = redactor(devices=("dev-1", "a:b.c")), Redactor((), ("dev-1",), b"another key")
    shown = one.log('{"device": "dev-1"} for dev-1. and dev-10 and a:b.c')
    assert shown.count(one.pseudonym("dev-1")) == 2
    assert "dev-10" in shown
    assert "a:b.c" not in shown
    assert one.pseudonym("dev-1") != other.pseudonym("dev-1")
    assert redactor().log("dev-1") == "dev-1\n"


def test_sql_in_a_log_loses_its_values() -> None:
    line = "2026-11-21 STATEMENT:  INSERT INTO devices VALUES ('dev-1', 71.5, 'it''s') WHERE x = $1"
    shown = redactor().log(line)
    assert "dev-1" not in shown
    assert "71.5" not in shown
    assert "$1" in shown
    assert without_literals("SELECT a1 FROM t2 LIMIT 10") == "SELECT a1 FROM t2 LIMIT ?"


def test_settings_are_masked_by_name_and_by_type() -> None:
    values = {
        "DB_PASSWORD": "x", "AUTH_CLIENT_SECRET": "x", "RECEIPT_KEY": "x", "DATABASE_URL": "x", "AUTH_TOKEN": "x",
        "AUTH_SIGNING_KEY_FILE": "/a", "JWT_JWKS_URL": "https://b", "DB_HOST": "c", "KAFKA_SASL_PASSWORD": "",
    }  # fmt: skip
    shown = masked(values)
    assert {name for name, value in shown.items() if value == MASK} == {
        "DB_PASSWORD", "AUTH_CLIENT_SECRET", "RECEIPT_KEY", "DATABASE_URL", "AUTH_TOKEN",
    }  # fmt: skip
    assert masked({"HARMLESS": "x"}, {"HARMLESS"}) == {"HARMLESS": MASK}


def test_every_secret_setting_is_known_as_one() -> None:
    assert {"DB_PASSWORD", "KAFKA_SASL_PASSWORD", "DATABASE_URL"} <= secret_variables() <= setting_names()
    assert all(secret_name(name) for name in secret_variables()), "by its name too"
