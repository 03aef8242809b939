"""Sizes of an image, from its layers."""

from deploy.supply import images, locks, sizes

CLASSIC = [
    ('/bin/sh -c #(nop)  ENTRYPOINT ["/bin/sh"]', 0),
    ("/bin/sh -c #(nop)  ENV PYTHONPATH=/opt/plumbline/app:/opt/plumbline/lib", 0),
    ("/bin/sh -c #(nop) COPY dir:4ce in /opt/plumbline/app ", 700_000),
    ("/bin/sh -c #(nop) COPY dir:f7a in /opt/plumbline/lib ", 70_000_000),
    ("/bin/sh -c apt-get update", 80_000_000),
    ("", 20_000_000),
]
BUILDKIT = [
    ("RUN |2 MODULE=api_service install -d /run/plumbline # buildkit", 0),
    ("COPY /opt/plumbline/app /opt/plumbline/app # buildkit", 700_000),
    ("COPY /opt/plumbline/lib /opt/plumbline/lib # buildkit", 70_000_000),
    ("the base", 100_000_000),
]

FRONT = [
    ("/bin/sh -c #(nop)  ENTRYPOINT [haproxy -f /etc/haproxy/haproxy.cfg]", 0),
    ("/bin/sh -c #(nop) COPY file:f69 in /etc/haproxy/haproxy.cfg ", 2_500),
    ("/bin/sh -c cp /var/lib/dpkg/status … && apt-get install -y -qq --no-install-recommends haproxy && …", 6_000_000),
    ("/bin/sh -c apt-get update && apt-get install -y libssl3", 100_000_000),
]


def test_both_builders_layers_are_told_apart() -> None:
    expected = sizes.Sizes("x", 170_700_000, 100_000_000, 70_000_000, 700_000)
    assert sizes.of("x", CLASSIC) == expected
    assert sizes.of("x", BUILDKIT) == expected


def test_the_front_adds_its_packages_and_its_configuration() -> None:
    expected = sizes.Sizes("x", 106_002_500, 100_000_000, 6_000_000, 2_500)
    assert sizes.of("x", FRONT) == expected
    assert (
        sizes.of("x", [(f"{command.removeprefix('/bin/sh -c #(nop) ')} # buildkit", n) for command, n in FRONT])
        == expected
    )


def test_the_table_shows_the_base_apart_from_what_is_added() -> None:
    (_, _, row) = sizes.table([sizes.of("x:dev", CLASSIC)])
    assert row == "| x | 170.7 MB | 100.0 MB | 70.0 MB | 0.7 MB | 70.7 MB |"


def test_the_dockerfile_copies_to_where_it_is_looked_for() -> None:
    final = locks.DOCKERFILE.read_text().rpartition("\nFROM ")[2]
    copies = [line.split()[-1] for line in final.splitlines() if line.startswith("COPY ")]
    assert copies == [sizes.DEPENDENCIES, sizes.CODE]
    front = locks.DOCKERFILE.with_name("front.Dockerfile").read_text()
    assert [line.split()[-1] for line in front.splitlines() if line.startswith("COPY ")] == [sizes.FRONT_CODE]
    assert f" {images.FRONT_HAS} " in front
