"""What ``altiplano doctor`` finds, and what it says to do."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cli import doctor
from cli.health import free
from cli.main import main
from tests.openid import OPENID, provider


def pem(folder: Path, days: float) -> Path:
    """Write a certificate that is good for so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "memory")])
    end = datetime.now(UTC) + timedelta(days=days, minutes=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=400))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    path = folder / "tls.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (90, doctor.Finding("certificate tls.pem", "well", "good for 90 days")),
        (3, doctor.Finding("certificate tls.pem", "note", "expires in 3 days", "issue it anew")),
        (-2.5, doctor.Finding("certificate tls.pem", "bad", "expired 3 days ago", "issue it anew")),
    ],
)
def test_certificates_are_judged_by_how_long_they_are_good(
    tmp_path: Path, days: float, expected: doctor.Finding
) -> None:
    assert doctor.certificate(pem(tmp_path, days)) == expected


def test_a_file_that_is_no_certificate_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "tls.pem"
    path.write_text("nothing")
    found = doctor.certificate(path)
    assert found == doctor.Finding(
        "certificate tls.pem", "bad", "can't be read (ValueError)", "give the path of a PEM file"
    )


def test_a_setting_that_cant_work_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALTIPLANO_MEMORY_REPLICAS", "2")
    (found,) = doctor.settings()
    assert (found.about, found.verdict) == ("settings of memory", "bad")
    assert "2 replicas can't share a SQLite file" in found.found


def test_a_variable_that_nothing_reads_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ALTIPLANO_MEMORY_MAX_WRITE", "ALTIPLANO_QUOTA_CONCURRENCY", "ALTIPLANO_API_KEYS_FILE"):
        monkeypatch.setenv(variable, "1")
    assert list(doctor.unread()) == [
        doctor.Finding(
            "settings", "note", "nothing reads ALTIPLANO_MEMORY_MAX_WRITE", "`altiplano config` lists what is read"
        )
    ]


def test_what_the_settings_name_beyond_the_mesh_is_asked_for_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener, socket.socket() as reserved:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        reserved.bind(("127.0.0.1", 0))
        there, away = (f"127.0.0.1:{entry.getsockname()[1]}" for entry in (listener, reserved))
        monkeypatch.setenv("ALTIPLANO_DATABASE_URL", f"postgresql://altiplano:hidden@{away}/altiplano")
        monkeypatch.setenv("ALTIPLANO_MEMORY_QDRANT_URL", f"http://{there}")
        found = sorted(doctor.backends(), key=lambda finding: finding.about)
    told, remedy = f"{away} can't be reached (Connection refused)", "start it, or correct the setting"
    assert found == [
        doctor.Finding("database", "bad", told, remedy),
        doctor.Finding("vector store", "well", f"{there} takes connections"),
    ]


def test_the_keys_of_the_identity_provider_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(doctor.identity_provider()) == []
    with provider() as idp:
        monkeypatch.setenv("ALTIPLANO_MESH_SECRET", "s" * 32)
        monkeypatch.setenv("ALTIPLANO_JWT_ISSUER", idp.issuer)
        monkeypatch.setenv("ALTIPLANO_JWT_AUDIENCE", "mesh")
        assert list(doctor.identity_provider()) == [doctor.Finding("identity provider", "well", "one key")]
        idp.documents[OPENID]["issuer"] = "https://other.example"
        (found,) = doctor.identity_provider()
    told = f"{idp.issuer}{OPENID} is of the issuer 'https://other.example', not of {idp.issuer!r}"
    assert (found.about, found.verdict, found.found) == ("identity provider", "bad", told)


def test_a_port_that_another_program_holds_is_bad_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as listener, socket.socket() as reserved:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        reserved.bind(("127.0.0.1", 0))
        taken, away = (f"127.0.0.1:{entry.getsockname()[1]}" for entry in (listener, reserved))
        for name in ("inference", "agents", "memory", "training", "eval"):
            monkeypatch.setenv(f"ALTIPLANO_{name.upper()}_ADDRESS", away)
        monkeypatch.setenv("ALTIPLANO_GATEWAY_ADDRESS", taken)
        monkeypatch.setattr(doctor, "free", lambda address: address != taken)
        result = CliRunner().invoke(main, ["doctor", "--json", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert {
        "about": "ports",
        "verdict": "bad",
        "found": f"{taken} is taken by another program",
        "remedy": "stop what listens there, or set ALTIPLANO_GATEWAY_ADDRESS",
    } in json.loads(result.output)


def test_free_tells_a_port_that_is_listened_at_from_one_that_is_not() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert not free(address)
    assert free(address)
