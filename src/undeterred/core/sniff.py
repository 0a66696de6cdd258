"""The media type of a file by its first bytes: the well-known signatures of web standards, else text or just bytes."""

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
LOOKED_AT = 512
"""Bytes that decide."""

_BLANK = b"\t\n\x0c\r "
_MARKUP = (
    b"<!DOCTYPE HTML",
    b"<HTML",
    b"<HEAD",
    b"<SCRIPT",
    b"<IFRAME",
    b"<H1",
    b"<DIV",
    b"<FONT",
    b"<TABLE",
    b"<A",
    b"<STYLE",
    b"<TITLE",
    b"<B",
    b"<BODY",
    b"<BR",
    b"<P",
)
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS-Adobe-", "application/postscript"),
    (0, b"\xfe\xff", "text/plain; charset=utf-16be"),
    (0, b"\xff\xfe", "text/plain; charset=utf-16le"),
    (0, b"\xef\xbb\xbf", TEXT),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (0, b"\x00\x00\x02\x00", "image/x-icon"),
    (0, b"BM", "image/bmp"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (8, b"WEBPVP", "image/webp"),
    (8, b"AIFF", "audio/aiff"),
    (8, b"WAVE", "audio/wave"),
    (8, b"AVI ", "video/avi"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS\x00", "application/ogg"),
    (0, b"MThd\x00\x00\x00\x06", "audio/midi"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"\x00\x01\x00\x00", "font/ttf"),
    (0, b"OTTO", "font/otf"),
    (0, b"ttcf", "font/collection"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"\x1f\x8b\x08", "application/x-gzip"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"Rar!\x1a\x07\x00", "application/x-rar-compressed"),
    (0, b"Rar!\x1a\x07\x01\x00", "application/x-rar-compressed"),
    (0, b"\x00\x61\x73\x6d", "application/wasm"),
)
_CONTAINERS = {8: {b"WEBPVP": b"RIFF", b"WAVE": b"RIFF", b"AVI ": b"RIFF", b"AIFF": b"FORM"}}
_BINARY = frozenset(range(9)) | {0x0B} | frozenset(range(0x0E, 0x1B)) | frozenset(range(0x1C, 0x20))
"""Bytes that no text holds."""


def media_type(head: bytes) -> str:
    """The media type of a file that begins so; an empty one is text."""
    head = head[:LOOKED_AT]
    start = head.lstrip(_BLANK)
    if _is_html(start):
        return "text/html; charset=utf-8"
    if start.startswith(b"<?xml"):
        return "text/xml; charset=utf-8"
    for offset, signature, kind in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature and _fits(head, offset, signature):
            return kind
    return BYTES if any(byte in _BINARY for byte in head) else TEXT


def _is_html(start: bytes) -> bool:
    """A tag must end with a blank or `>`; a comment stands for itself."""
    if start.startswith(b"<!--"):
        return True
    upper = start[:16].upper()
    return any(upper.startswith(tag) and start[len(tag) : len(tag) + 1] in (b" ", b">") for tag in _MARKUP)


def _fits(head: bytes, offset: int, signature: bytes) -> bool:
    outer = _CONTAINERS.get(offset, {}).get(signature)
    return outer is None or head.startswith(outer)
