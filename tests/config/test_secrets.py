"""A secret is in the settings and nowhere else."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.loader import ConfigLoader
from app.config.redaction import mask_urls, redacted
from app.config.settings import Settings
from app.core.exceptions import ConfigurationError

CANARY = "cAn4ry-9f2e"
URL = f"postgresql://bot:{CANARY}@db:5432/market?sslpassword={CANARY}&sslmode=require"


def settings_with_secrets() -> Settings:
    environ = {"DATABASE_URL": URL, "DATABASE_PASSWORD": CANARY}
    environ["CRYPTO_BOT__EXCHANGE__REPLAY_URL"] = f"http://u:{CANARY}@replay:1"
    return ConfigLoader(None, environ, dotenv=None).load()


def test_redacted_settings_are_json_without_secrets() -> None:
    settings = settings_with_secrets()
    data = redacted(settings)

    assert CANARY not in json.dumps(data, allow_nan=False)
    assert data["database"]["url"] == (
        "postgresql://bot:***@db:5432/market?sslpassword=***&sslmode=require"
    )
    assert data["database"]["password"] == "***"
    assert redacted(Settings())["database"]["password"] == ""


def test_printing_settings_shows_no_secret() -> None:
    settings = settings_with_secrets()
    database = settings.database
    shown = [repr(database), str(database), str(database.model_dump())]
    shown += [database.model_dump_json(), repr(settings.risk)]
    assert not any(CANARY in text for text in shown)


@pytest.mark.parametrize(
    "text",
    [
        f"database: {{pasword: {CANARY}}}",
        f"database: {{password: [{CANARY}]}}",
        f"database: {{password: {{{CANARY}: 1}}, url: {CANARY}}}",
        f"database: {CANARY}",
        f"database:\n  password: '{CANARY}\n",
        f"database:\n  password: {CANARY}: x",
        f"database:\n  password: *{CANARY}",
        f"database:\n  password: !{CANARY} x",
        f"database:\n  password: !a!{CANARY} x",
        f"database:\n  password: @{CANARY}",
        f"database:\n  url: {URL}\n  pool_size: 0",
        f"exchange: {{id: '{URL}'}}",
        f"{{database: {{password: {CANARY}}}, risk: {{risk_per_trade: 7}}}}",
        f"[{CANARY}]",
    ],
)
def test_no_refusal_repeats_a_secret(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    with pytest.raises(ConfigurationError) as refused:
        ConfigLoader(path, {}, dotenv=None).load()

    shown = "".join(traceback.format_exception(refused.value, chain=True))
    assert CANARY not in shown


@given(
    st.text(
        st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=4
    ).map(lambda text: f"zq{text}qz")
)
def test_no_password_survives_in_a_masked_url(password: str) -> None:
    masked = mask_urls(f"postgresql://user:{password}@host/name")
    assert masked == "postgresql://user:***@host/name"
