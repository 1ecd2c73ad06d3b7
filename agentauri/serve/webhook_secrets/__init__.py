"""The secrets that sign an organization's webhooks."""
