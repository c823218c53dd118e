"""Secrets: the device key, the accounts' keys, sealing and opening of pages."""
