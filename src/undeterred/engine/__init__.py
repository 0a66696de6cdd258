"""Lifecycle commands inside transactions, and the background services that carry decisions out."""
