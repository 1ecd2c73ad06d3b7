"""Telegram: messages that survive their parse mode, and the channel that sends them."""
