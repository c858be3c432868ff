"""Settings without their secrets: for rows, logs and the terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.config.settings import Settings

MASK = "***"
# Up to the last @: a password may hold unescaped @, / and ? of its own.
_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*://)(?P<user>[^:@/\s]*):.*@")
_SECRET_PARAMETER = re.compile(
    r"(?i)([?&][^=&\s]*(?:pass|secret|token|key)[^=&]*=)[^&\s]*"
)


def mask_urls(text: str) -> str:
    """`text` with the passwords of URLs in it replaced by `***`."""
    if "://" not in text:
        return text
    masked = _USER_INFO.sub(rf"\g<scheme>\g<user>:{MASK}@", text)
    return _SECRET_PARAMETER.sub(rf"\g<1>{MASK}", masked)


def redacted(settings: Settings) -> dict[str, Any]:
    """All sections as JSON-ready data, secrets replaced by `***`.

    The database URL keeps its user, host and database, which say what a run wrote
    to; empty secrets stay empty, which says that none was given.
    """
    data = settings.model_dump(mode="json")
    url = settings.database.url.get_secret_value()
    data["database"]["url"] = mask_urls(url) if "://" in url else MASK if url else ""
    given = settings.database.password.get_secret_value()
    data["database"]["password"] = MASK if given else ""
    masked: dict[str, Any] = mask_texts(data)
    return masked


def mask_texts(value: Any) -> Any:
    """`value` with `mask_urls` applied to every text in its dicts and lists."""
    if isinstance(value, dict):
        return {key: mask_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_texts(item) for item in value]
    return mask_urls(value) if isinstance(value, str) else value
