"""The journal of the embedded broker: its input topics on disk, and back into a fresh broker at the same offsets.

`batch`, `block` and `segment` are the format, without I/O; `disk` is the little of a file system that is needed;
`recovery` reads a folder and `writer` goes on with it. `link` talks to the broker, `fill` and `follow` carry batches
there and back, `stale` removes rows of receipts that were lost, and `gate` lets clients in once all of it is done.
"""
