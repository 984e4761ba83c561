"""The compose file, as far as it can be judged without running it: images, mounts, ports, commands."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml
from queries import FOLDER, PROMETHEUS, ROOT

from planwarden.api.listen import read_address

pytestmark = pytest.mark.requirement("MET-11")

COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (FOLDER / "Dockerfile").read_text("utf-8")
EXACT = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+(-[\w.]+)?")


def test_every_image_is_pinned_to_an_exact_version() -> None:
    images = [service["image"] for service in SERVICES.values() if "image" in service]
    assert len(images) == 3
    assert all(EXACT.fullmatch(image) for image in images)
    (base,) = re.findall(r"^FROM (\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", base)


def test_every_file_that_is_mounted_or_copied_is_there() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", ())]
    ours = [mount.split(":")[0] for mount in mounts if isinstance(mount, str) and mount.startswith(".")]
    assert len(ours) == 4
    assert all((FOLDER / path).exists() for path in ours)
    named = {mount.split(":")[0] for mount in mounts if isinstance(mount, str)} - set(ours)
    assert named == set(COMPOSE["volumes"])
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = line.split()
        assert all((ROOT / source).exists() for source in sources), line
    build = SERVICES["planwarden"]["build"]
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()


def test_nothing_but_the_loopback_address_of_the_host_is_listened_on() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(published) == 5
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_prometheus_scrapes_what_planwarden_serves() -> None:
    (scrape,) = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    (target,) = scrape["static_configs"][0]["targets"]
    host, port = target.split(":")
    command = SERVICES[host]["command"]
    assert command[:2] == ["metrics", "--listen"]
    assert read_address(command[2]).port == int(port)
    assert SERVICES[host]["expose"] == [port]
    assert f":{port}/healthz" in shlex.join(SERVICES[host]["healthcheck"]["test"])
    assert scrape["job_name"] == "planwarden"


def test_the_data_source_is_the_service_and_no_password_is_written_down() -> None:
    sources = yaml.safe_load(
        (FOLDER / "grafana" / "provisioning" / "datasources" / "planwarden.yaml").read_text("utf-8")
    )["datasources"]
    assert {re.split(r"[/:]+", source["url"])[1] for source in sources} <= set(SERVICES)
    password = SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
    assert password.startswith("${GRAFANA_PASSWORD:?")


def test_the_page_of_the_folder_names_every_variable_that_has_to_be_set() -> None:
    wanted = set(re.findall(r"\$\{(\w+):\?", (FOLDER / "compose.yaml").read_text("utf-8")))
    page = (FOLDER / "README.md").read_text("utf-8")
    assert {"PLANWARDEN_HOME", "GRAFANA_PASSWORD"} == wanted
    assert all(f"export {name}=" in page for name in wanted)
