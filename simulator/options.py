"""The command line."""

import argparse
from collections.abc import Sequence

from shared.settings import help_text
from simulator.arguments import metric, positive, prefix, rate, seed, share, speed, typed, zone
from simulator.faults import FAULTS, MEANINGS
from simulator.fleet import PROFILES
from simulator.http import options as over_http
from simulator.settings import SimulatorSettings
from simulator.times import duration_us, moment

_EXAMPLES = """\
examples:
  python -m simulator --devices 1000 --rate 5000 --duration 60s --seed 7
  python -m simulator --devices 200 --interval 10s --from -6h              history, as fast as it goes
  python -m simulator --devices 200 --interval 10s --from -6h --follow     history, then live until Ctrl-C
  python -m simulator --late 0.01 --out-of-order 0.02 --duplicate 0.01 --conflict 0.001 --malformed 0.001
  python -m simulator --http http://localhost:8000 --devices 1000 --rate 5000              needs a token: AUTH_…
  python -m simulator --http http://a:8000,http://b:8000 --spool /var/spool/plumbline     fails over, loses nothing
  python -m simulator replay FILE --time-column time --device room-1 --shift-to-now       (replay --help)

The summary gives how many of each fault were planned and what the pipeline should count; --json for machines.
"""
_REPLAY_EXAMPLES = """\
examples:
  python -m simulator replay simulator/recordings/alamosa.csv --time-column time --device-column station \\
      --shift-to-now --speed max
  python -m simulator replay day.parquet --time-column ts --device room-1 --metric t=temperature --speed 60
  python -m simulator replay day.csv --time-column ts --device-column id --http http://localhost:8000 --speed max
"""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Options of a run; `command` is `run` or `replay`. A usage error ends the process with status 2."""
    if argv[:1] == ["replay"]:
        parser = _replay_parser()
        options = parser.parse_args(_attached(argv[1:]))
        options.command = "replay"
        over_http.check(parser, options)
        return options
    parser = _run_parser()
    options = parser.parse_args(_attached(argv))
    options.command = "run"
    _check_run(parser, options)
    over_http.check(parser, options)
    return options


def _run_parser() -> argparse.ArgumentParser:
    parser = _parser("python -m simulator", "Sends the events of a simulated fleet to Kafka, or over HTTP.", _EXAMPLES)
    fleet = parser.add_argument_group("the fleet")
    fleet.add_argument("--devices", type=typed(positive), default=100, metavar="N", help="how many (100)")
    pace = fleet.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=typed(rate), metavar="R", help="events a second of the whole fleet")
    pace.add_argument("--interval", type=typed(duration_us), metavar="D", help="each device sends every D (1s)")
    fleet.add_argument("--profile", choices=PROFILES, default="mixed", help="what devices measure (mixed)")
    fleet.add_argument("--prefix", type=typed(prefix), default="dev-", help="of device ids (dev-)")
    fleet.add_argument("--seed", type=typed(seed), default=1, metavar="N", help="same seed, same events (1)")
    time = parser.add_argument_group("the time: live from now without end, unless said otherwise")
    time.add_argument("--from", dest="begin", type=typed(moment), metavar="T", help="-6h or RFC 3339; up to now")
    end = time.add_mutually_exclusive_group()
    end.add_argument("--to", type=typed(moment), metavar="T", help="end at T")
    end.add_argument("--duration", type=typed(duration_us), metavar="D", help="end D after now")
    end.add_argument("--follow", action="store_true", help="go on live after --from")
    faults = parser.add_argument_group("planned faults: shares of all events, 0 to 1; an event has one at most")
    for fault in FAULTS:
        what = MEANINGS[fault]
        faults.add_argument(f"--{fault.label}", type=typed(share), default=0.0, metavar="S", help=what)
    faults.add_argument(
        "--late-by", type=typed(duration_us), default=duration_us("10m"), metavar="D",
        help="late events come up to so late, at least half (10m); the end of the run brings the rest",
    )  # fmt: skip
    _common(parser)
    return parser


def _replay_parser() -> argparse.ArgumentParser:
    what = "Sends a recording (CSV, NDJSON or Parquet) to Kafka, or over HTTP."
    parser = _parser("python -m simulator replay", what, _REPLAY_EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="*.csv, *.csv.gz, *.ndjson, *.jsonl or *.parquet")
    device = parser.add_mutually_exclusive_group(required=True)
    device.add_argument("--device-column", metavar="COLUMN", help="holds device ids")
    device.add_argument("--device", metavar="ID", help="one id for all rows")
    parser.add_argument("--time-column", metavar="COLUMN", required=True, help="RFC 3339, or epoch seconds or ms")
    parser.add_argument(
        "--time-zone", type=typed(zone), metavar="ZONE", default="UTC", help="of times without an offset (UTC)"
    )
    parser.add_argument(
        "--metric",
        action="append",
        type=typed(metric),
        metavar="COLUMN[=NAME]",
        help="repeatable; without: every column of numbers",
    )
    parser.add_argument("--speed", type=typed(speed), default=1.0, help="1: as recorded; 60: 60 times faster; max")
    when = parser.add_mutually_exclusive_group()
    when.add_argument(
        "--shift-to-now", action="store_true", help="move all times alike, so that the last is when it is sent"
    )
    when.add_argument("--start", type=typed(moment), metavar="T", help="move all times alike; the first is T")
    _common(parser)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    over_http.add(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="the summary on stdout as one JSON document")
    output.add_argument("--quiet", action="store_true", help="no progress")


def _check_run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.rate is not None:
        options.interval = round(options.devices * 1e6 / options.rate)
    options.interval = options.interval if options.interval is not None else 1_000_000
    if options.interval < 1_000:
        parser.error("a device can't send more than 1,000 events a second → more --devices, or less --rate")
    if sum(getattr(options, fault.name.lower()) for fault in FAULTS) > 1 + 1e-9:
        parser.error("the shares of faults sum to more than 1 → lower them")
    if options.to is not None and options.begin is None:
        parser.error("--to needs --from")


def _attached(argv: Sequence[str]) -> list[str]:
    """`--from -6h` as `--from=-6h`: argparse would take -6h for an option."""
    joined: list[str] = []
    for argument in argv:
        if joined and joined[-1] in {"--from", "--to", "--start"}:
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _parser(name: str, what: str, examples: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        name,
        description=what,
        epilog=f"{examples}\n{help_text(SimulatorSettings)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
