"""Webhooks as the command line sees them: endpoints of the settings, tests, the log, repeats, and a receiver."""
