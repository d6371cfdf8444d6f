"""Country files for geoip.file: MaxMind DB 2.0, IPv4 only."""

import ipaddress


def text(value):
    return bytes([0x40 | len(value)]) + value.encode()


def mapping(size):
    return bytes([0xe0 | size])


def number(kind, value, size):
    return (bytes([kind << 5 | size]) if kind <= 7 else bytes([size, kind - 7])) + value.to_bytes(size, "big")


def country_database(countries):
    """country_database({"192.0.2.0/24": "DE"}): what the file holds. Networks do not lie within each other."""
    nodes, data = [[None, None]], b""
    for network, country in countries.items():
        network, at = ipaddress.ip_network(network), 0
        bits = f"{int(network.network_address):032b}"[:network.prefixlen]
        for bit in map(int, bits[:-1]):
            if nodes[at][bit] is None:
                nodes[at][bit] = ("node", len(nodes))
                nodes.append([None, None])
            at = nodes[at][bit][1]
        nodes[at][int(bits[-1])] = ("data", len(data))
        data += mapping(1) + text("country") + mapping(1) + text("iso_code") + text(country)
    count = len(nodes)
    value = {"node": lambda to: to, "data": lambda at: count + 16 + at}
    tree = b"".join((count if record is None else value[record[0]](record[1])).to_bytes(3, "big") for node in nodes for record in node)
    about = {"node_count": number(6, count, 4), "record_size": number(5, 24, 2), "ip_version": number(5, 4, 2), "database_type": text("Test"),
             "binary_format_major_version": number(5, 2, 2), "binary_format_minor_version": number(5, 0, 2), "languages": bytes([0, 4]),
             "description": mapping(0), "build_epoch": number(9, 1, 8)}
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + mapping(len(about)) + b"".join(text(key) + value for key, value in about.items())
