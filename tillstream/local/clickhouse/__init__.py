"""ClickHouse's HTTP interface over chDB, in one process: what clickhouse-connect and curl send, no more.

It is no sandbox: SQL may read files and URLs with this account's rights (`file()`, `url()`), whatever
`readonly` says. So it listens on loopback only, and refuses requests that a web page could have sent.
"""
