"""The frame of a page: one file, no script, nothing loaded, and a policy that lets nothing be. Pure."""

from __future__ import annotations

import base64
import hashlib

from markupsafe import Markup

from planwarden.audit.page.element import joined, tag
from planwarden.audit.page.style import STYLE


def document(title: str, *body: str | None) -> str:
    """Write a whole page.

    Its content security policy allows the one style sheet, by its digest, and nothing else: no script, image,
    font, frame, form or connection, whatever got into the text.
    """
    policy = f"default-src 'none'; style-src '{_source(STYLE)}'; base-uri 'none'; form-action 'none'"
    head = joined(
        (
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=policy),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="referrer", content="no-referrer"),
            tag("title", title),
            tag("style", Markup(STYLE)),  # noqa: S704 - our own constant
        )
    )
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', *body), lang='en')}\n"


def _source(style: str) -> str:
    digest = hashlib.sha256(style.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
