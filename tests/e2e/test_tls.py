"""HTTPS with a certificate of one's own: the client trusts it as it always did, and so do the tasks."""

import datetime
import ipaddress
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scripts.server import running
from tests.det import Det
from tests.e2e.conftest import PASSWORD, SMALL

NAME = "master.example"


def make(folder: Path, *, with_address: bool) -> tuple[Path, Path]:
    """A certificate that signs itself and its key; without the address it is good for its name alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    names: list[x509.GeneralName] = [x509.DNSName(NAME)]
    if with_address:
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, plain, none))
    return cert_file, key_file


def settings(folder: Path, cert: Path | str, key: Path | str) -> Path:
    """A configuration file with these."""
    file = folder / "master.yaml"
    file.write_text(f"security:\n  tls:\n    cert: {cert}\n    key: {key}\n")
    return file


@pytest.mark.parametrize("with_address", [True, False])
def test_the_client_and_its_tasks_speak_https(tmp_path: Path, with_address: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log in, train, and ask for the server's state; a certificate for another name takes that name, told to client and tasks."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # with these the client's library forgets which certificate it was told
        monkeypatch.delenv(name, raising=False)
    cert, key = make(tmp_path, with_address=with_address)
    data = tmp_path / "data"
    (tmp_path / "home").mkdir()
    config = settings(tmp_path, cert, key)
    with running(data, "--config", str(config), "--initial-password", PASSWORD, "--slots", "1") as url:
        assert url.startswith("https://")
        trusted = {"DET_MASTER_CERT_FILE": str(cert)} | ({} if with_address else {"DET_MASTER_CERT_NAME": NAME})
        det = Det(url, PASSWORD, tmp_path / "home")
        created = det("experiment", "create", str(SMALL / "config.yaml"), str(SMALL), **trusted)
        experiment = created.split("Created experiment ")[1].split()[0]
        det("experiment", "wait", experiment, **trusted)
        assert '"state": "STATE_COMPLETED"' in det("experiment", "describe", experiment, "--json", **trusted)
        ask = [sys.executable, "-m", "undeterred", "status", "--data-dir", str(data)]
        assert f"Running at {url}" in subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60).stdout
        det.close()


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("none.pem", "key.pem", "security.tls.cert: "),
        ("cert.pem", "none.pem", "security.tls.key: "),
        ("cert.pem", "cert.pem", "are not a certificate chain and its key"),
        ("cert.pem", "", "security.tls.key: required"),
    ],
)
def test_a_bad_certificate_is_one_line(tmp_path: Path, cert: str, key: str, said: str) -> None:
    """The server does not start, and no data folder is made."""
    make(tmp_path, with_address=True)
    config = settings(tmp_path, tmp_path / cert, tmp_path / key if key else '""')
    data = tmp_path / "data"
    command = [sys.executable, "-m", "undeterred", "up", "--port", "0", "--config", str(config), "--data-dir", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not data.exists()
