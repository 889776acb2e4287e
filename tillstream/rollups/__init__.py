"""The roll-ups under `sales_hourly` and `sales_daily`: computed by the sink role, a day at a time."""
