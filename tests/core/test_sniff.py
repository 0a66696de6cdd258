"""Files are told apart by their first bytes."""

import pytest

from undeterred.core.sniff import BYTES, TEXT, media_type


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", TEXT),
        (b"print(1)\n", TEXT),
        ("grüße\n".encode(), TEXT),
        (b"\x1b[31mred\x1b[0m", TEXT),
        (b"a\x00b", BYTES),
        (b"\x01\x02", BYTES),
        (b" \n<!doctype html>", "text/html; charset=utf-8"),
        (b"<p>", "text/html; charset=utf-8"),
        (b"<path", TEXT),
        (b"<!-- note -->", "text/html; charset=utf-8"),
        (b"\n<?xml version='1.0'?>", "text/xml; charset=utf-8"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\x00", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wave"),
        (b"XXXX\x00\x00\x00\x00WAVEfmt ", BYTES),
        (b"\x1f\x8b\x08\x00", "application/x-gzip"),
        (b"PK\x03\x04", "application/zip"),
        (b"\xef\xbb\xbfa,b", TEXT),
        (b"\xff\xfea\x00", "text/plain; charset=utf-16le"),
        (b"a" * 600 + b"\x00", TEXT),
    ],
)
def test_types(head, expected):
    """Signatures decide, then whether there is a byte that no text holds within the first 512."""
    assert media_type(head) == expected
