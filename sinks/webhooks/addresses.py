"""Which addresses a webhook may be sent to: those of the public internet, whatever a name resolves to.

An endpoint's URL comes from a person, but its name resolves to what its owner says at that moment: to the cloud's
metadata service, or a database beside us. So the address is judged as it is dialled, never the name.
"""

from __future__ import annotations

import ipaddress

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def is_public(text: str) -> bool:
    """Whether an address is of the public internet.

    IPv6 addresses that hold one of IPv4 (mapped, 6to4, NAT64) are as public as that one.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address in _LOCAL_NAT64 or address in _COMPATIBLE or address.is_site_local or address.teredo is not None:
            return False
        held = address.ipv4_mapped or address.sixtofour
        if held is None and address in _NAT64:
            held = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if held is not None:
            return _is_global(held)
    return _is_global(address)


def _is_global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # `is_global` says true of multicast, and of what IANA has reserved without a purpose.
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
