# SPDX-License-Identifier: Apache-2.0
"""Certificates, and connections to a daemon in clear or through TLS."""
import os
import socket
import ssl

import check
from daemon import TMP, run

TLS = "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n"


def certificate(name, subject="localhost", names="DNS:localhost,IP:127.0.0.1", before=()):
    """A key and a certificate of two days that it signs itself; returns their paths. `before`: of a Clock."""
    paths = os.path.join(TMP, name + ".key"), os.path.join(TMP, name + ".crt")
    end = run(*before, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
              "-subj", "/CN=" + subject, "-addext", "subjectAltName=" + names, "-keyout", paths[0], "-out", paths[1])
    check.equal(f"openssl: {end.stderr}", end.returncode, 0)
    return paths


def connect(port, secure=False, timeout=20):
    """A connection on which bytes are sent and received."""
    s = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    if secure:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        s = context.wrap_socket(s)
    return s


def read_all(s):
    """All bytes until the other side ends."""
    got = b""
    while True:
        more = s.recv(65536)
        if not more:
            return got
        got += more
