"""What the doctor says of what it sees."""

import socket
from pathlib import Path

from deploy.local import doctor, ports
from deploy.local.status import Part

RUNNING = Part("kafka", "running", 7, "127.0.0.1:9092", "4.3.1")
SILENT = Part("postgres", "not answering", 8, "postgresql://x", None)
GONE = Part("ingestion", "stopped", None, "http://127.0.0.1:9101/metrics", None)


def test_a_part_that_answers_is_ok_with_its_version() -> None:
    finding = doctor.part_finding(RUNNING, known=True, stack_runs=True)
    assert (finding.state, finding.detail, finding.mend) == ("ok", "4.3.1 at 127.0.0.1:9092", "")


def test_a_part_that_does_not_answer_is_broken_and_names_the_command() -> None:
    finding = doctor.part_finding(SILENT, known=True, stack_runs=True)
    assert (finding.state, finding.mend) == ("broken", "plumbline up --only postgres")


def test_a_part_that_is_gone_is_broken_only_while_the_others_run() -> None:
    assert doctor.part_finding(GONE, known=True, stack_runs=True).state == "broken"
    assert doctor.part_finding(GONE, known=True, stack_runs=False).state == "note"
    assert doctor.part_finding(GONE, known=False, stack_runs=True).state == "note"


def test_too_little_disk_or_memory_is_broken(tmp_path: Path) -> None:

    home = tmp_path
    assert doctor.disk(doctor.LEAST_DISK, home).state == "ok"
    assert doctor.disk(doctor.LEAST_DISK - 1, home).state == "broken"
    assert doctor.memory(doctor.LEAST_MEMORY, running=False).state == "ok"
    assert doctor.memory(doctor.LEAST_MEMORY - 1, running=False).state == "broken"
    assert doctor.memory(0, running=True).state == "ok"


def test_a_clock_that_is_off_is_broken() -> None:
    assert doctor.clock(1.0, "the database's clock").state == "ok"
    assert doctor.clock(1.1, "the database's clock").state == "broken"


def test_a_port_of_a_stranger_is_a_note_and_our_own_is_fine() -> None:
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        values = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}"}
        ours = list(doctor.port_findings({"kafka": port}, values, [RUNNING]))
        strange = list(doctor.port_findings({"kafka": port}, {}, []))
    assert [finding.state for finding in ours + strange] == ["ok", "note"]


def test_a_part_that_lacks_something_is_broken_and_says_what() -> None:
    waiting = Part("api", "not ready", 9, "http://x", "1", "kafka: it doesn't answer → start it")
    assert "kafka: it doesn't answer → start it" in doctor.part_finding(waiting, known=True, stack_runs=True).detail
