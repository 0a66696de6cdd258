"""Rows to messages, one file per entity; secrets are masked here."""
