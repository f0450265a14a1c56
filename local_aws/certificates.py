"""The certificates of one run: a certificate authority, and a server certificate for loopback."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

__all__ = ["Certificates", "issue"]


@dataclass(frozen=True)
class Certificates:
    """The files for a run's TLS.

    Attributes:
        ca_bundle: Only the run's authority, which signs everything on the run's endpoint.
        certificate: The server's certificate, for 127.0.0.1 and localhost.
        key: The server's private key.
    """

    ca_bundle: Path
    certificate: Path
    key: Path

    def client_context(self) -> ssl.SSLContext:
        """Return a TLS context that trusts the run's authority and verifies as usual."""
        return ssl.create_default_context(cafile=str(self.ca_bundle))


def issue(folder: Path) -> Certificates:
    """Create an authority and a server certificate in a folder.

    The authority's key is never written, so nothing else can be signed with it.
    """
    authority = trustme.CA(organization_name="local_aws")
    server = authority.issue_cert("127.0.0.1", "localhost")
    certificates = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority.cert_pem.write_to_path(str(certificates.ca_bundle))
    server.private_key_pem.write_to_path(str(certificates.key))
    for number, blob in enumerate(server.cert_chain_pems):
        blob.write_to_path(str(certificates.certificate), append=number > 0)
    return certificates
