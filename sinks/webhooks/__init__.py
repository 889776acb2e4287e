"""The sender of webhooks: alerts from `restock.alerts` to HTTP endpoints, remembered in `webhook.deliveries`."""
