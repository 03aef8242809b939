"""Packages are installed without their services: nothing is started on a person's machine, now or at boot."""

import os
from pathlib import Path

import pytest

from deploy.local import packages


def test_services_are_masked_while_their_packages_are_installed(tmp_path: Path) -> None:
    with packages.masked(["prometheus"], tmp_path):
        assert (tmp_path / "prometheus.service").readlink() == Path(os.devnull)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_installation_leaves_no_mask(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), packages.masked(["prometheus"], tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_the_person_made_of_a_service_stays(tmp_path: Path) -> None:
    unit, masked = tmp_path / "prometheus.service", tmp_path / "node.service"
    unit.write_text("[Service]\n")
    masked.symlink_to(os.devnull)
    with packages.masked(["prometheus", "node"], tmp_path):
        pass
    assert unit.read_text() == "[Service]\n"
    assert masked.is_symlink()


def test_a_machine_without_systemd_needs_no_mask(tmp_path: Path) -> None:
    with packages.masked(["prometheus"], tmp_path / "etc"):
        assert not (tmp_path / "etc").exists()


def test_services_of_what_was_installed_do_not_start_at_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, ...]] = []

    def install(*names: str) -> bool:
        said.append(("install", *names))
        return True

    monkeypatch.setattr(packages, "install", install)
    monkeypatch.setattr(packages, "_run", lambda *argv: said.append(argv))
    monkeypatch.setattr(packages, "UNITS", Path("/nowhere"))
    assert packages.install_without_services("prometheus")
    assert said == [
        ("install", "prometheus"),
        ("deb-systemd-helper", "disable", "prometheus.service"),
        ("update-rc.d", "prometheus", "disable"),
    ]
