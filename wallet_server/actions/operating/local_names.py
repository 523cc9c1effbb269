"""Owns what a machine is called and reached by on its network, and for which of these names an authority may sign."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from cryptography import x509

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 127.0.0.0/8 ::1/128 fc00::/7 fe80::/10"
PRIVATE: tuple[Network, ...] = tuple(map(ipaddress.ip_network, _PRIVATE.split()))
LOCAL_NAMES = ("local", "home.arpa", "localhost")
# Routes to these tell by which of its own addresses this machine would go there; nothing is sent.
PROBES = ("192.0.2.1", "10.255.255.254", "172.31.255.254", "192.168.255.254")
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")


@dataclass(frozen=True)
class Machine:
    """What this machine is called and reached by on its network."""

    name: str
    addresses: tuple[Address, ...]


def this_machine() -> Machine:
    """This machine's name, and its private addresses as its routes have them; nothing is sent."""
    found: dict[Address, None] = {}
    for probe in PROBES:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            try:
                line.connect((probe, 9))
                found[ipaddress.ip_address(str(line.getsockname()[0]))] = None
            except OSError:
                continue
    return Machine(socket.gethostname().lower(), tuple(filter(_private, found)))


def _private(address: Address) -> bool:
    return any(address.version == net.version and address in net for net in PRIVATE)


def names_of(machine: Machine, base_host: str) -> tuple[str, ...]:
    """Everything by which a browser may come here: names first, then addresses.

    Of the machine's own name only what belongs to local networks: a machine may be called `shop` or `app`, and these
    are top-level domains of the internet.
    """
    short = machine.name.partition(".")[0]
    names = ["localhost", base_host, machine.name if local(machine.name) else "", f"{short}.local" if short else ""]
    addresses = ["127.0.0.1", "::1", *map(str, machine.addresses)]
    asked = dict.fromkeys(filter(None, map(_plain, names))) | dict.fromkeys(addresses)
    return tuple(asked)


def local(name: str) -> bool:
    """Whether a name can be nobody's on the internet (RFC 6761, RFC 6762, RFC 8375)."""
    return name in LOCAL_NAMES or name.endswith(tuple(f".{one}" for one in LOCAL_NAMES))


def _plain(name: str) -> str:
    """A name as certificates write it, or nothing when it is none."""
    if _address(name):
        return str(_address(name))
    try:
        ascii_name = name.encode("idna").decode() if name else ""
    except UnicodeError:
        return ""
    return ascii_name if HOST_NAME.fullmatch(ascii_name) else ""


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def general(name: str) -> x509.DNSName | x509.IPAddress:
    """A name or an address as certificates hold it."""
    address = _address(name)
    return x509.IPAddress(address) if address else x509.DNSName(name)


def constraints(machine: Machine, base_host: str) -> x509.NameConstraints:
    """For what an authority may sign that is made here (RFC 5280, 4.2.1.10).

    A name there covers all names below it. So one of a single label is never permitted: it may be a top-level domain.
    """
    own = [name for name in names_of(machine, base_host) if not _address(name)]
    names = [name for name in own if "." in name and not local(name)]
    permitted: list[x509.GeneralName] = [x509.DNSName(name) for name in (*LOCAL_NAMES, *names)]
    permitted += [x509.IPAddress(net) for net in PRIVATE]
    address = _address(base_host)
    if address and not _private(address):
        permitted.append(x509.IPAddress(ipaddress.ip_network(address)))  # that one, because the operator names it
    return x509.NameConstraints(permitted, None)


def beyond(authority: x509.Certificate) -> tuple[str, ...]:
    """The names (with all below them) and addresses outside local networks for which the authority may sign."""
    allowed = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    names = [str(one.value) for one in allowed if isinstance(one, x509.DNSName) and not local(one.value)]
    nets = [one.value for one in allowed if isinstance(one, x509.IPAddress)]
    return (*names, *(str(net).partition("/")[0] for net in nets if net not in PRIVATE))


def too_wide(authority: x509.Certificate) -> bool:
    """Whether the authority may sign for a whole top-level domain: such a one is not kept."""
    return any("." not in name for name in beyond(authority) if not _address(name))


def covers(authority: x509.Certificate, name: str) -> bool:
    """Whether the authority may sign for this name; browsers refuse what it may not."""
    allowed = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    address = _address(name)
    if address is None:
        given = [one.value for one in allowed if isinstance(one, x509.DNSName)]
        return any(name == one or name.endswith(f".{one}") for one in given)
    nets = [one.value for one in allowed if isinstance(one, x509.IPAddress)]
    return any(not isinstance(net, Address) and net.version == address.version and address in net for net in nets)
