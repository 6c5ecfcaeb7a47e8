"""Only who holds the platform's own certificate can talk to its cluster."""

import socket
import ssl
import threading

import pytest

from infra.certificates import ensure_certificates, private


def context(purpose, folder, with_certificate=True):
    made = ssl.create_default_context(purpose, cafile=folder / "ca.pem")
    if with_certificate:
        made.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    if purpose is ssl.Purpose.CLIENT_AUTH:
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def talk(server, client):
    """Return what a client hears from a server, each with its own context."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        try:
            with server.wrap_socket(connection, server_side=True) as secure:
                secure.sendall(b"hello")
        except (ssl.SSLError, ConnectionError):
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with (
            socket.create_connection(listener.getsockname(), timeout=10) as plain,
            client.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            return secure.recv(5)
    finally:
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("tls")
    ensure_certificates(made, "127.0.0.1")
    return made


def test_files_are_ours_alone_and_made_once(folder):
    files = [folder / name for name in ("ca.pem", "cert.pem", "key.pem")]
    assert all(private(each) for each in files)
    before = [each.read_bytes() for each in files]
    ensure_certificates(folder, "127.0.0.1")
    assert [each.read_bytes() for each in files] == before


def test_our_own_are_let_in(folder):
    server = context(ssl.Purpose.CLIENT_AUTH, folder)
    assert talk(server, context(ssl.Purpose.SERVER_AUTH, folder)) == b"hello"


def test_a_stranger_is_kept_out(folder, tmp_path):
    ensure_certificates(tmp_path, "127.0.0.1")
    server = context(ssl.Purpose.CLIENT_AUTH, folder)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk(server, context(ssl.Purpose.SERVER_AUTH, folder, with_certificate=False))
    stranger = context(ssl.Purpose.SERVER_AUTH, folder, with_certificate=False)
    stranger.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk(server, stranger)
