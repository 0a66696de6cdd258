"""Kinds of failure, clock, ids, settings and JSON: what every room may use and what uses none of them."""
